#include "guest/exec_run.h"

#include <utility>

#include "wire/limits.h"

namespace capsem::process {

using capsem::v1::ExecEvent;
using wire::FrameKind;

ExecRun::ExecRun(uint64_t id, wire::ChannelId channel, MuxGetter mux, ExecSink sink)
    : id_(id), channel_(channel), mux_(std::move(mux)), sink_(std::move(sink)) {}

void ExecRun::Start(const capsem::guest::v1::ExecStart& start) {
  stdin_open_ = start.stdin_open();
  Send(FrameKind::kExecStart, start.SerializeAsString());
}

bool ExecRun::WriteStdin(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, wire::kMaxExecData);
    Send(FrameKind::kExecStdin, piece);
    bytes.remove_prefix(piece.size());
  }
  stdin_waits_ = !input_.empty();
  return !stdin_waits_;
}

void ExecRun::FinishStdin() {
  // To a command that has no stdin the frame would say nothing, and would wake the guest for it.
  if (stdin_open_) Send(FrameKind::kExecStdinEof, {});
}

void ExecRun::Send(FrameKind kind, std::string_view payload) {
  if (ended_) return;
  const auto header = wire::FrameHeader(kind, payload.size());
  Put({header.data(), header.size()});
  Put(payload);
}

void ExecRun::Put(std::string_view bytes) {
  if (input_.empty()) bytes.remove_prefix(mux_().Write(channel_, bytes));
  input_.append(bytes);
}

void ExecRun::FlushInput() {
  if (input_.empty()) return;
  input_.erase(0, mux_().Write(channel_, input_));
}

void ExecRun::OnWritable() {
  FlushInput();
  if (!input_.empty() || !stdin_waits_ || ended_) return;
  stdin_waits_ = false;
  sink_.on_stdin_ready();
}

void ExecRun::WhenStarted(absl::AnyInvocable<void()> action) {
  if (started_) return action();
  when_started_.push_back(std::move(action));
}

void ExecRun::Detach() {
  detached_ = true;
  SinkReady();
}

void ExecRun::SinkReady() {
  sink_full_ = false;
  OnReadable();
}

void ExecRun::OnReadable() {
  // A delivery may call back in here (a detach, a sink that is ready): the loop below sees what it
  // changed.
  if (std::exchange(delivering_, true)) return;
  DeliverAll();
  delivering_ = false;
}

void ExecRun::DeliverAll() {
  while (!ended_ && !sink_full_) {
    const std::string_view bytes = mux_().Readable(channel_);
    auto frame = wire::ParseFrame(bytes, wire::kMaxExecData);
    if (!frame.ok()) return Fail(Annotate(frame.status(), "the guest's output of command {}", id_));
    if (!frame->has_value()) {
      if (mux_().Finished(channel_))
        Fail(Unavailable("the guest ended command {} without an exit", id_));
      return;
    }
    const size_t size = (*frame)->size;
    const Status delivered = Deliver(**frame);
    if (!delivered.ok()) return Fail(delivered);
    mux_().Consume(channel_, size);
  }
}

Status ExecRun::Deliver(const wire::Frame& frame) {
  ExecEvent event;
  switch (frame.kind) {
    case FrameKind::kExecStarted: {
      started_ = true;
      for (auto& action : std::exchange(when_started_, {})) action();
      return OkStatus();
    }
    case FrameKind::kExecStdout:
      event.set_stdout(frame.payload.data(), frame.payload.size());
      Emit(std::move(event));
      return OkStatus();
    case FrameKind::kExecStderr:
      event.set_stderr(frame.payload.data(), frame.payload.size());
      Emit(std::move(event));
      return OkStatus();
    case FrameKind::kExecExit: {
      capsem::guest::v1::ExecExit exit;
      if (!exit.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size()))) {
        return Unavailable("the guest sent a malformed exit of command {}", id_);
      }
      OnExit(exit);
      return OkStatus();
    }
    default:
      return Unavailable("the guest sent a frame of kind {} on command {}",
                         static_cast<int>(frame.kind), id_);
  }
}

bool ExecRun::Emit(ExecEvent event) {
  if (detached_ || ended_) return true;
  sink_full_ = !sink_.on_event(std::move(event));
  return !sink_full_;
}

void ExecRun::OnExit(const capsem::guest::v1::ExecExit& told) {
  ExecEvent event;
  auto& exit = *event.mutable_exit();
  exit.set_code(told.code() & 0xff);  // told by the guest: kept within what the contract promises
  exit.set_signal(told.signal() & 0x7f);
  exit.set_timed_out(told.timed_out());
  exit.set_error(told.error());
  exit.set_duration_us(told.duration_us());
  Emit(std::move(event));
  if (ended_) return;
  ended_ = true;
  mux_().Finish(channel_);
  sink_.on_end(OkStatus());
}

void ExecRun::Fail(Status status) {
  if (ended_) return;
  ended_ = true;
  mux_().Reset(channel_);
  sink_.on_end(std::move(status));
}

}  // namespace capsem::process
