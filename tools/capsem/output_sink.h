// Bytes to stdout or stderr on the loop: what cannot be taken at once is kept, and `idle` says when
// it is gone. Ends the writing, not the program, when the other end is gone.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/fd_watch.h"
#include "base/status.h"
#include "own_stream.h"

namespace capsem::cli {

class OutputSink {
 public:
  // `on_idle` comes from the loop when all bytes have left, after Write could not take all.
  // `name` is for the error ("stdout").
  OutputSink(Loop& loop, int fd, std::string_view name, absl::AnyInvocable<void()> on_idle);
  OutputSink(const OutputSink&) = delete;
  OutputSink& operator=(const OutputSink&) = delete;

  void Write(std::string_view bytes);
  bool idle() const { return waiting_.empty(); }
  // What the last write failed with; whatever is written later is dropped.
  const Status& status() const { return status_; }

 private:
  void OnWritable();
  // Takes from the front what the stream takes now.
  void WriteSome(std::string_view& bytes);

  OwnStream stream_;
  const std::string_view name_;
  absl::AnyInvocable<void()> on_idle_;
  std::string waiting_;
  Status status_;
  std::unique_ptr<FdWatch> watch_;  // after stream_: destroyed first
};

}  // namespace capsem::cli
