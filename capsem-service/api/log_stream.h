// One Logs call: the pieces of a log, as fast as the caller takes them, and, when it is followed,
// what comes later. Reads on a pool thread, a piece at a time: a caller that is slow holds up
// nobody, and hears how much has gone meanwhile. Owned by system_rpc until `on_over`; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>

#include "base/loop.h"
#include "base/weak.h"
#include "capsem/v1/system.pb.h"
#include "rpc/server_stream.h"
#include "session/file_news.h"
#include "session/log_tail.h"

namespace capsem::service {

class LogStream {
 public:
  using Stream = rpc::ServerWriter<capsem::v1::LogChunk>;
  struct Spec {
    std::string path;     // of the log's newest file
    std::string word;     // only lines with it; "" = all
    std::string session;  // the id of the one session that it is about; "" = of all
    uint32_t lines = 0;   // the last ones; 0 = all
    bool follow = false;
  };

  // `on_over` comes once and may not destroy this at once.
  LogStream(Loop& loop, std::unique_ptr<Stream> stream, Spec spec,
            absl::AnyInvocable<void()> on_over);
  LogStream(const LogStream&) = delete;
  LogStream& operator=(const LogStream&) = delete;

  void Start();
  // Nothing will be written into the log any more: the call ends with what is there.
  void End();
  const std::string& session() const { return spec_.session; }

 private:
  void ReadNext();
  void OnPiece(StatusOr<LogTail::Piece> piece);
  void OnEnd();

  Loop& loop_;
  std::unique_ptr<Stream> stream_;
  const Spec spec_;
  absl::AnyInvocable<void()> on_over_;
  std::shared_ptr<LogTail> log_;    // the pool's while a read runs
  std::unique_ptr<FileNews> news_;  // when it is followed
  bool reading_ = false;
  bool awaiting_ = false;  // news
  bool ended_ = false;     // there will be none
  bool closed_ = false;
  WeakOwner<LogStream> weak_{this};
};

}  // namespace capsem::service
