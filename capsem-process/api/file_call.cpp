#include "api/file_call.h"

#include <utility>

namespace capsem::process {

using capsem::process::v1::FileEvent;
using capsem::process::v1::FileInput;
using capsem::process::v1::FileRequest;

FileCall::FileCall(std::unique_ptr<Stream> stream, Life& life, FileRuns& files,
                   absl::AnyInvocable<void()> on_over)
    : stream_(std::move(stream)), life_(life), files_(files), on_over_(std::move(on_over)) {
  stream_->Begin({
      .on_message = [this](const FileInput& input) { OnInput(input); },
      .on_inputs_end =
          [this] {
            if (!request_seen_) Finish(InvalidArgument("the first input is `request`"));
          },
      .on_ready =
          [this] {
            if (run_) run_->SinkReady();
          },
      .on_closed =
          [this](bool) {
            finished_ = true;
            if (run_) run_->Cancel();
            on_over_();
          },
  });
}

void FileCall::OnInput(const FileInput& input) {
  if (finished_) return;
  if (!request_seen_) {
    if (!input.has_request()) return Finish(InvalidArgument("the first input is `request`"));
    request_seen_ = true;
    return OnRequest(input.request());
  }
  if (!run_) return;  // it has ended; what was on its way to it is of no use
  if (input.kind_case() == FileInput::kCommit) return run_->Commit();
  if (input.kind_case() != FileInput::kData)
    return Finish(InvalidArgument("`request` is given once"));
  if (!run_->Write(input.data())) stream_->PauseReading(true);
}

void FileCall::OnRequest(const FileRequest& request) {
  // Nothing is read until somebody takes it.
  stream_->PauseReading(true);
  life_.WhenReady([self = weak_.Get(), request](const Status& ready) {
    if (!self || self->finished_) return;
    if (!ready.ok()) return self->Finish(ready);
    self->Begin(request);
  });
}

void FileCall::Begin(const FileRequest& request) {
  auto run = files_.Start(request, MakeSink());
  if (!run.ok()) return Finish(run.status());
  run_ = *run;
  stream_->PauseReading(false);
}

FileSink FileCall::MakeSink() {
  return {
      .on_event =
          [self = weak_.Get()](const FileEvent& event) {
            return !self || self->finished_ || self->stream_->Write(event);
          },
      .on_writable =
          [self = weak_.Get()] {
            if (self) self->stream_->PauseReading(false);
          },
      .on_end =
          [self = weak_.Get()](const Status& status) {
            if (self) self->Finish(status);
          },
  };
}

void FileCall::Finish(const Status& status) {
  if (std::exchange(finished_, true)) return;
  stream_->Finish(status);
}

}  // namespace capsem::process
