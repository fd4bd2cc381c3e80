#include "api/exec_call.h"

#include <utility>

namespace capsem::process {

using capsem::v1::ExecAttach;
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
            if (run_ && ends_stdin_) run_->FinishStdin();
          },
      .on_ready =
          [this] {
            if (reader_) reader_->Ready();
          },
      .on_closed =
          [this](bool) {
            reader_ = nullptr;
            on_over_();
          },
  });
}

void ExecCall::OnInput(ExecInput input) {
  if (finished_) return;
  if (!start_seen_) {
    start_seen_ = true;
    if (input.has_start()) return OnStart(std::move(*input.mutable_start()));
    if (input.has_attach()) return OnAttach(std::move(*input.mutable_attach()));
    return Finish(InvalidArgument("the first input is `start` or `attach`"));
  }
  if (!run_) return;  // it has ended; what was on its way to it is of no use
  if (input.kind_case() == ExecInput::kStdinEof) return run_->FinishStdin();
  if (input.has_resize()) return HoldWhen(!run_->Resize(input.resize()));
  if (input.kind_case() != ExecInput::kStdin) {
    return Finish(InvalidArgument("`start` is given once"));
  }
  HoldWhen(!run_->WriteStdin(input.stdin()));
}

void ExecCall::HoldWhen(bool full) {
  if (full) stream_->PauseReading(true);
}

void ExecCall::OnStart(ExecStart start) {
  ends_stdin_ = !start.detach();
  // Nothing is read until the command runs: stdin would have nowhere to go.
  stream_->PauseReading(true);
  life_.WhenReady([self = weak_.Get(), start = std::move(start)](Status ready) {
    if (!self || self->finished_) return;
    if (!ready.ok()) return self->Finish(ready);
    self->Begin(start);
  });
}

void ExecCall::Begin(const ExecStart& start) {
  if (!Take(guest_.execs().Start(start, MakeSink()))) return;
  tell_started_.Start(kGuestFirst, [this] { TellStarted(); });
  if (start.stdin_open() || start.has_pty()) stream_->PauseReading(false);
  if (!start.detach()) return;
  run_->WhenStarted([self = weak_.Get()] {
    if (!self || self->finished_) return;
    self->reader_ = nullptr;
    self->Finish(OkStatus());
  });
}

void ExecCall::OnAttach(ExecAttach attach) {
  ends_stdin_ = false;
  stream_->PauseReading(true);
  life_.WhenReady([self = weak_.Get(), attach = std::move(attach)](Status ready) {
    if (!self || self->finished_) return;
    if (!ready.ok()) return self->Finish(ready);
    if (!self->Take(self->guest_.execs().Attach(attach, self->MakeSink()))) return;
    self->TellStarted();
    self->stream_->PauseReading(false);
  });
}

bool ExecCall::Take(StatusOr<ExecTable::Handle> handle) {
  if (!handle.ok()) {
    Finish(handle.status());
    return false;
  }
  reader_ = std::move(handle->reader);
  run_ = handle->run;
  untold_ = handle->id;
  return true;
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
