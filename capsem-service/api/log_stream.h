// One Logs call: the pieces of a log, as fast as the caller takes them. Reads on a pool thread.
// Owned by system_rpc until `on_over`; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/weak.h"
#include "capsem/v1/system.pb.h"
#include "rpc/server_stream.h"
#include "session/log_tail.h"

namespace capsem::service {

class LogStream {
 public:
  using Stream = rpc::ServerWriter<capsem::v1::LogChunk>;

  // `on_over` comes once and may not destroy this at once.
  LogStream(Loop& loop, std::unique_ptr<Stream> stream, absl::AnyInvocable<void()> on_over);
  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;

  void Start(std::vector<std::string> files, uint32_t lines);

 private:
  void ReadNext();
  void OnPiece(StatusOr<std::string> piece);

  Loop& loop_;
  std::unique_ptr<Stream> stream_;
  absl::AnyInvocable<void()> on_over_;
  std::shared_ptr<LogTail> log_;  // the pool's while a read runs
  bool closed_ = false;
  WeakOwner<LogStream> weak_{this};
};

}  // namespace capsem::service
