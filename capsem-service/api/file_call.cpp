#include "api/file_call.h"

#include <utility>

#include "session/file_spec.h"

namespace capsem::service {

using capsem::process::v1::FileInput;
using capsem::v1::FileInfo;
using capsem::v1::WriteFileEvent;
using capsem::v1::WriteFileInput;
using capsem::v1::WriteFileStart;

namespace {

constexpr size_t kMaxData = 256 * 1024;  // of one message (files.proto)

Status NoStart() {
  return WithRemedy(InvalidArgument("a write begins with `start`, once"),
                    "send `start`, then `data`, then `commit`");
}

}  // namespace

StatusOr<std::unique_ptr<ProcessFileCall>> OpenFile(SessionTable& table, const std::string& session,
                                                    FileRequest request,
                                                    ProcessFileCall::Events events) {
  TRY(CheckFileRequest(request));
  SessionSlot* const slot = TRY(table.Live(session));
  FileInput first;
  *first.mutable_request() = std::move(request);
  auto file = slot->client->File(std::move(events));
  file->Write(std::move(first));
  return file;
}

void FileQuestion::Start(SessionTable& table, const std::string& session, FileRequest request) {
  auto file = OpenFile(table, session, std::move(request),
                       {.on_event =
                            [this](FileEvent event) {
                              if (event.has_info()) info_ = std::move(*event.mutable_info());
                            },
                        .on_ready = [] {},
                        .on_closed = [this](const Status& status) { End(status); }});
  if (!file.ok()) return End(file.status());
  file_ = *std::move(file);
  file_->FinishWriting();
}

void FileQuestion::End(const Status& status) {
  if (status.ok()) {
    done_(std::move(info_));
  } else {
    done_(status);
  }
  on_over_();
}

FileUpload::FileUpload(SessionTable& table, std::unique_ptr<Stream> stream,
                       absl::AnyInvocable<void()> on_over)
    : table_(table), stream_(std::move(stream)), on_over_(std::move(on_over)) {
  stream_->Begin({
      .on_message = [this](WriteFileInput input) { OnInput(std::move(input)); },
      .on_inputs_end =
          [this] {
            if (!committed_)
              End(WithRemedy(InvalidArgument("the write ended without `commit`"),
                             "send `commit` after the last byte; nothing has been changed"));
          },
      .on_ready = [] {},
      .on_closed =
          [this](bool) {
            ended_ = true;
            file_ = nullptr;
            on_over_();
          },
  });
}

void FileUpload::OnInput(WriteFileInput input) {
  if (ended_) return;
  const bool is_start = input.has_start();
  if (is_start == std::exchange(started_, true) || committed_) return End(NoStart());
  if (is_start) return OnStart(input.start());
  OnData(std::move(input));
}

void FileUpload::OnStart(const WriteFileStart& start) {
  FileRequest request;
  *request.mutable_write() = start;
  auto file = OpenFile(table_, start.session(), std::move(request),
                       {.on_event =
                            [this](FileEvent event) {
                              WriteFileEvent written;
                              *written.mutable_written() = std::move(*event.mutable_info());
                              if (!ended_) stream_->Write(written);
                            },
                        .on_ready = [this] { stream_->PauseReading(false); },
                        .on_closed = [this](const Status& status) { End(status); }});
  if (!file.ok()) return End(file.status());
  file_ = *std::move(file);
}

void FileUpload::OnData(WriteFileInput input) {
  FileInput next;
  if (input.commit()) {
    committed_ = true;
    next.set_commit(true);
    file_->WriteLast(std::move(next));
    return;
  }
  if (input.data().size() > kMaxData) {
    return End(WithRemedy(InvalidArgument("{} bytes of data in one input: the limit is {}",
                                          input.data().size(), kMaxData),
                          "send them in several inputs"));
  }
  next.set_data(std::move(*input.mutable_data()));
  if (!file_->Write(std::move(next))) stream_->PauseReading(true);
}

void FileUpload::End(const Status& status) {
  if (std::exchange(ended_, true)) return;
  stream_->Finish(status);
}

}  // namespace capsem::service
