#include "guest/exec_run.h"

#include <utility>

#include "base/planted.h"
#include "wire/limits.h"

namespace capsem::process {

using wire::FrameKind;

namespace {

bool IsOutput(FrameKind kind) {
  return kind == FrameKind::kExecStdout || kind == FrameKind::kExecStderr;
}

}  // namespace

ExecRun::ExecRun(uint64_t id, wire::ChannelId channel, MuxGetter mux, ExecRecord& record)
    : id_(id), channel_(channel), mux_(std::move(mux)), record_(record) {}

void ExecRun::Start(const capsem::guest::v1::ExecStart& start,
                    absl::AnyInvocable<void()> on_ended) {
  on_ended_ = std::move(on_ended);
  stdin_open_ = start.stdin_open();
  terminal_ = start.has_pty();
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

bool ExecRun::Resize(const capsem::v1::TerminalSize& size) {
  if (!terminal_) return true;
  capsem::guest::v1::Resize told;
  told.set_rows(size.rows());
  told.set_cols(size.cols());
  Send(FrameKind::kExecResize, told.SerializeAsString());
  stdin_waits_ = !input_.empty();
  return !stdin_waits_;
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
  record_.OnStdinReady();
}

void ExecRun::WhenStarted(absl::AnyInvocable<void()> action) {
  if (started_) return action();
  when_started_.push_back(std::move(action));
}

void ExecRun::OnReadable() {
  // A delivery may call back in here (a reader that goes on or leaves): the loop below sees what it
  // changed.
  if (std::exchange(delivering_, true)) return;
  DeliverAll();
  delivering_ = false;
}

void ExecRun::DeliverAll() {
  while (!ended_) {
    const std::string_view bytes = mux_().Readable(channel_);
    auto frame = wire::ParseFrame(bytes, wire::kMaxExecData);
    if (!frame.ok()) return Fail(Annotate(frame.status(), "the guest's output of command {}", id_));
    if (!frame->has_value()) {
      if (mux_().Finished(channel_))
        Fail(Unavailable("the guest ended command {} without an exit", id_));
      return;
    }
    if (IsOutput((*frame)->kind) && !record_.takes()) return;
    const size_t size = (*frame)->size;
    const Status delivered = Deliver(**frame);
    if (!delivered.ok()) return Fail(delivered);
    mux_().Consume(channel_, size);
  }
}

Status ExecRun::Deliver(const wire::Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kExecStarted: {
      started_ = true;
      for (auto& action : std::exchange(when_started_, {})) action();
      return OkStatus();
    }
    case FrameKind::kExecStdout:
      record_.Add(OutputStream::kStdout, frame.payload);
      return OkStatus();
    case FrameKind::kExecStderr:
      record_.Add(OutputStream::kStderr, frame.payload);
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

void ExecRun::OnExit(const capsem::guest::v1::ExecExit& told) {
  capsem::v1::ExecExit exit;
  // Told by the guest: kept within what the contract promises. Planted 2: as it is told.
  exit.set_code(PLANTED(2) ? told.code() : told.code() & 0xff);
  exit.set_signal(told.signal() & 0x7f);
  exit.set_timed_out(told.timed_out());
  exit.set_error(told.error());
  exit.set_duration_us(told.duration_us());
  ended_ = !PLANTED(3);  // Planted 3: what comes after the exit is the command's, too.
  mux_().Finish(channel_);
  record_.Exit(exit);
  on_ended_();
}

void ExecRun::Fail(Status status) {
  if (ended_) return;
  ended_ = true;
  mux_().Reset(channel_);
  record_.Fail(std::move(status));
  on_ended_();
}

}  // namespace capsem::process
