#include "api/exec_call.h"

#include <utility>

namespace capsem::process {

using capsem::v1::ExecEvent;
using capsem::v1::ExecInput;
using capsem::v1::ExecStart;

namespace {

// The guest hears of its command before the caller hears of the guest: what gRPC does for `started`
// takes the processors as long as the whole way to the guest.
constexpr std::chrono::milliseconds kGuestFirst{1};

}  // namespace

ExecCall::ExecCall(Loop& loop, std::unique_ptr<Stream> stream, Life& life, GuestSession& guest,
                   absl::AnyInvocable<void()> on_over)
    : stream_(std::move(stream)),
      life_(life),
      guest_(guest),
      on_over_(std::move(on_over)),
      tell_started_(loop) {
  stream_->Begin({
      .on_message = [this](ExecInput input) { OnInput(std::move(input)); },
      .on_inputs_end =
          [this] {
            if (run_) run_->FinishStdin();
          },
      .on_ready =
          [this] {
            if (run_) run_->SinkReady();
          },
      .on_closed =
          [this](bool) {
            if (run_) run_->Detach();
            on_over_();
          },
  });
}

void ExecCall::OnInput(ExecInput input) {
  if (finished_) return;
  if (!start_seen_) {
    if (!input.has_start()) return Finish(InvalidArgument("the first input of Exec is `start`"));
    start_seen_ = true;
    return OnStart(std::move(*input.mutable_start()));
  }
  if (!run_) return;  // it has ended; what was on its way to it is of no use
  if (input.kind_case() == ExecInput::kStdinEof) return run_->FinishStdin();
  if (input.kind_case() != ExecInput::kStdin) {
    return Finish(InvalidArgument("`start` is given once"));
  }
  if (!run_->WriteStdin(input.stdin())) stream_->PauseReading(true);
}

void ExecCall::OnStart(ExecStart start) {
  // Nothing is read until the command runs: stdin would have nowhere to go.
  stream_->PauseReading(true);
  life_.WhenReady([self = weak_.Get(), start = std::move(start)](Status ready) {
    if (!self || self->finished_) return;
    if (!ready.ok()) return self->Finish(ready);
    self->Begin(start);
  });
}

void ExecCall::Begin(const ExecStart& start) {
  auto run = guest_.Exec(start, MakeSink());
  if (!run.ok()) return Finish(run.status());
  run_ = *run;
  untold_ = run_->id();
  tell_started_.Start(kGuestFirst, [this] { TellStarted(); });
  if (start.stdin_open()) stream_->PauseReading(false);
  if (!start.detach()) return;
  run_->WhenStarted([self = weak_.Get()] {
    if (!self || self->finished_) return;
    if (self->run_) self->run_->Detach();
    self->Finish(OkStatus());
  });
}

void ExecCall::TellStarted() {
  if (!untold_) return;
  tell_started_.Cancel();
  ExecEvent event;
  event.mutable_started()->set_exec(*std::exchange(untold_, std::nullopt));
  stream_->Write(event);
}

ExecSink ExecCall::MakeSink() {
  return {
      .on_event =
          [self = weak_.Get()](ExecEvent event) {
            if (!self || self->finished_) return true;
            self->TellStarted();
            if (!event.has_exit()) return self->stream_->Write(event);
            self->exit_ = std::move(event);
            return true;
          },
      .on_stdin_ready =
          [self = weak_.Get()] {
            if (self) self->stream_->PauseReading(false);
          },
      .on_end =
          [self = weak_.Get()](Status status) {
            if (self) self->Finish(status);
          },
  };
}

void ExecCall::Finish(const Status& status) {
  if (std::exchange(finished_, true)) return;
  TellStarted();
  if (exit_) return stream_->FinishWith(*exit_, status);
  stream_->Finish(status);
}

}  // namespace capsem::process
