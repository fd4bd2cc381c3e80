// stdin on the loop, a chunk at a time, as fast as it is asked for.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string_view>

#include "base/fd_watch.h"
#include "base/weak.h"
#include "own_stream.h"

namespace capsem::cli {

class InputSource {
 public:
  struct Events {
    absl::AnyInvocable<void(std::string_view)> on_bytes;  // at most 64 KiB
    absl::AnyInvocable<void()> on_end;                    // once: end of file, or it cannot be read
    // In place of on_end, when it is there: an errno.
    absl::AnyInvocable<void(int error)> on_error = nullptr;
  };

  // Starts reading. Events come only from the loop.
  InputSource(Loop& loop, int fd, Events events);
  InputSource(const InputSource&) = delete;
  InputSource& operator=(const InputSource&) = delete;

  void Pause(bool paused);

 private:
  void ReadOne();
  void Go();

  Loop& loop_;
  OwnStream stream_;
  Events events_;
  bool paused_ = false;
  bool ended_ = false;
  bool posted_ = false;             // a read of a file is on its way
  std::unique_ptr<FdWatch> watch_;  // after stream_: destroyed first
  WeakOwner<InputSource> weak_{this};
};

}  // namespace capsem::cli
