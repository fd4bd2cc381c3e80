// The calls of clients about files, each with its one stream to a capsem-process. Loop thread;
// owned by files_rpc until `on_over`, which comes once and may not destroy them at once: events of
// their streams may be on the stack.
//
// A client that goes away ends the operation: the stream to the process is dropped, and the guest
// undoes what was not committed.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>

#include "base/status.h"
#include "base/weak.h"
#include "capsem/v1/files.pb.h"
#include "rpc/server_stream.h"
#include "session/session_table.h"
#include "supervise/process_stream.h"

namespace capsem::service {

class FileCall {
 public:
  virtual ~FileCall() = default;
};

using FileRequest = capsem::process::v1::FileRequest;
using FileEvent = capsem::process::v1::FileEvent;

// Opens the stream to the session's process and sends the request. NotFound, FailedPrecondition:
// the session; InvalidArgument: the request (session/file_spec).
StatusOr<std::unique_ptr<ProcessFileCall>> OpenFile(SessionTable& table, const std::string& session,
                                                    FileRequest request,
                                                    ProcessFileCall::Events events);

// An answer of one message: the last description that came, if any.
class FileQuestion final : public FileCall {
 public:
  using Done = absl::AnyInvocable<void(StatusOr<capsem::v1::FileInfo>)>;
  FileQuestion(Done done, absl::AnyInvocable<void()> on_over)
      : done_(std::move(done)), on_over_(std::move(on_over)) {}
  void Start(SessionTable& table, const std::string& session, FileRequest request);

 private:
  void End(const Status& status);

  Done done_;
  absl::AnyInvocable<void()> on_over_;
  capsem::v1::FileInfo info_;
  std::unique_ptr<ProcessFileCall> file_;
};

// Events to a client's stream, as fast as it takes them.
template <typename Out>
class FileFeed final : public FileCall {
 public:
  using Stream = rpc::ServerWriter<Out>;
  using Convert = Out (*)(FileEvent);

  FileFeed(std::unique_ptr<Stream> stream, Convert convert, absl::AnyInvocable<void()> on_over)
      : stream_(std::move(stream)), convert_(convert), on_over_(std::move(on_over)) {
    typename Stream::Events events;
    events.on_ready = [this] {
      if (file_) file_->PauseReading(false);
    };
    events.on_closed = [this](bool) {
      file_ = nullptr;
      on_over_();
    };
    stream_->Begin(std::move(events));
  }
  void Start(SessionTable& table, const std::string& session, FileRequest request) {
    auto file = OpenFile(table, session, std::move(request),
                         {.on_event =
                              [this](FileEvent event) {
                                if (!stream_->Write(convert_(std::move(event))))
                                  file_->PauseReading(true);
                              },
                          .on_ready = [] {},
                          .on_closed = [this](const Status& status) { stream_->Finish(status); }});
    if (!file.ok()) return stream_->Finish(file.status());
    file_ = *std::move(file);
    file_->FinishWriting();
  }

 private:
  const std::unique_ptr<Stream> stream_;
  const Convert convert_;
  absl::AnyInvocable<void()> on_over_;
  std::unique_ptr<ProcessFileCall> file_;
};

// A client's bytes to the process, as fast as that takes them, and what was written back.
class FileUpload final : public FileCall {
 public:
  using Stream = rpc::ServerStream<capsem::v1::WriteFileInput, capsem::v1::WriteFileEvent>;
  FileUpload(SessionTable& table, std::unique_ptr<Stream> stream,
             absl::AnyInvocable<void()> on_over);

 private:
  void OnInput(capsem::v1::WriteFileInput input);
  void OnStart(const capsem::v1::WriteFileStart& start);
  void OnData(capsem::v1::WriteFileInput input);
  void End(const Status& status);

  SessionTable& table_;
  const std::unique_ptr<Stream> stream_;
  absl::AnyInvocable<void()> on_over_;
  std::unique_ptr<ProcessFileCall> file_;
  bool started_ = false;
  bool committed_ = false;
  bool ended_ = false;
};

}  // namespace capsem::service
