#include "exec/exec_job.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "wire/limits.h"

namespace capsem::agent {

using wire::FrameKind;

namespace {

constexpr int kTimedOut = 124;  // as timeout(1)
// Most commands have said something or ended by then, and either says that the program has run: the
// failure pipe, whose end would wake the loop in the middle of a small command, is left alone
// until then.
constexpr std::chrono::milliseconds kQuickEnd{5};
// More than a terminal can hold (Linux: 4 KiB, and 8 KiB on their way), and no more than that of
// somebody who goes on writing to it.
constexpr size_t kTerminalRest = 64 * 1024;
// What a terminal's user types to say that there is no more.
constexpr std::string_view kEndOfFile = "\x04";

}  // namespace

ExecJob::ExecJob(ExecServices& services, SpareProcess& spare, ExecChannel& channel, ExecSpec spec,
                 absl::AnyInvocable<void()> on_change)
    : services_(services),
      spare_(spare),
      channel_(channel),
      spec_(std::move(spec)),
      on_change_(std::move(on_change)),
      timeout_(services.loop),
      look_(services.loop) {}

void ExecJob::Start() {
  auto begun = spare_.Run(spec_);
  if (!begun.ok()) return Refuse(begun.status());
  group_ = std::move(begun->group);
  process_ = std::move(begun->process);
  outputs_[0] = {FrameKind::kExecStdout, std::move(begun->out), {}};
  outputs_[1] = {FrameKind::kExecStderr, std::move(begun->err), {}};
  if (spec_.pty) outputs_[1].left = 0;
  services_.reaper.Watch(process_.pid, [self = weak_.Get()](int wait_status) {
    if (self) self->OnProcessEnd(wait_status);
  });
  for (Output& output : outputs_) {
    output.pipe->Listen([this, &output] { OnOutput(output); });
  }
  if (spec_.stdin_open)
    WatchFailurePipe();
  else
    look_.Start(kQuickEnd, [this] { WatchFailurePipe(); });
  if (spec_.timeout.count() > 0) timeout_.Start(spec_.timeout, [this] { OnTimeout(); });
}

void ExecJob::WatchFailurePipe() {
  failure_watch_ = std::make_unique<FdWatch>(services_.loop, process_.failure_pipe.get(),
                                             [this](int) { OnFailurePipe(); });
  failure_watch_->Want(FdWatch::kReadable);
}

void ExecJob::OnFailurePipe() {
  look_.Cancel();
  failure_ = ReadExecFailure(process_.failure_pipe.get(), spec_);
  failure_watch_.reset();
  process_.failure_pipe.Reset();
  process_.request_pipe.Reset();
  if (!spec_.stdin_open) process_.stdin_pipe.Reset();
  if (!failure_) OnRunning();
}

void ExecJob::OnRunning() {
  capsem::guest::v1::ExecStarted started;
  started.set_pid(static_cast<uint32_t>(process_.pid));
  channel_.Send(FrameKind::kExecStarted, started.SerializeAsString());
  if (process_.stdin_pipe.valid()) {
    stdin_watch_ = std::make_unique<FdWatch>(services_.loop, process_.stdin_pipe.get(),
                                             [this](int) { channel_.ReadOn(); });
  }
  GoOn();
  channel_.Accept({[this](std::string_view bytes) { return WriteStdin(bytes); },
                   [this] { EndStdin(); }, [this](const auto& size) { Resize(SizeOf(size)); },
                   [this] { GoOn(); }});
}

void ExecJob::OnTimeout() {
  timed_out_ = true;
  group_->Kill();
}

void ExecJob::Signal(int signal) {
  if (gone_ || !group_) return;
  if (signal == SIGKILL) {
    group_->Kill();
  } else if (running()) {
    kill(-process_.pid, signal);
  }
}

void ExecJob::GoOn() {
  if (exit_sent_) return;
  if (wait_status_) return Drain();
  if (channel_.over()) return LeaveOutput();
  for (Output& output : outputs_) {
    output.pipe->Pause(channel_.blocked());
  }
}

// Only a program that runs writes, and only its end closes both pipes: the failure pipe has ended.
void ExecJob::OnOutput(Output& output) {
  if (process_.failure_pipe.valid()) OnFailurePipe();
  if (!output.ended) ReadOutput(output);
}

void ExecJob::ReadOutput(Output& output) {
  const size_t most = std::min(wire::kMaxExecData, output.left.value_or(wire::kMaxExecData));
  const ssize_t count = channel_.SendFrom(*output.pipe, output.kind, most);
  if (channel_.blocked() && !wait_status_) GoOn();
  if (count < 0 && channel_.blocked()) return;
  if (count < 0 && errno == EAGAIN && !output.left) return;
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) {  // with EAGAIN: somebody in the guest has taken what was left
    output.ended = true;
    output.left = 0;
    return TidyLater();
  }
  if (output.left) *output.left -= static_cast<size_t>(count);
}

size_t ExecJob::WriteStdin(std::string_view bytes) {
  if (!process_.stdin_pipe.valid()) return bytes.size();
  const ssize_t count = write(process_.stdin_pipe.get(), bytes.data(), bytes.size());
  if (count < 0 && errno != EAGAIN && errno != EINTR) {
    CloseStdin();  // the command does not read it any more
    return bytes.size();
  }
  const size_t taken = count < 0 ? 0 : static_cast<size_t>(count);
  stdin_watch_->Want(taken < bytes.size() ? FdWatch::kWritable : 0);
  return taken;
}

// A terminal stays: its command may go on writing to it.
void ExecJob::EndStdin() {
  if (!process_.terminal.valid()) return CloseStdin();
  if (process_.stdin_pipe.valid()) WriteStdin(kEndOfFile);
}

void ExecJob::Resize(PtySize size) {
  if (process_.terminal.valid()) ResizePty(process_.terminal.get(), size);
}

void ExecJob::CloseStdin() {
  stdin_watch_.reset();
  process_.stdin_pipe.Reset();
}

void ExecJob::OnProcessEnd(int wait_status) {
  if (process_.failure_pipe.valid()) OnFailurePipe();
  timeout_.Cancel();
  wait_status_ = wait_status;
  ended_at_ = Clock::Now();
  CloseStdin();
  // What lies in the pipes now is all that the first process can have written. A survivor that
  // writes on and on cannot delay the exit.
  for (Output& output : outputs_) {
    if (output.ended || !output.pipe->open()) continue;
    output.left = process_.terminal.valid() ? kTerminalRest : output.pipe->Available();
    output.pipe->Pause(true);
  }
  process_.terminal.Reset();
  on_change_();
  Drain();
}

void ExecJob::TidyLater() {
  if (std::exchange(tidying_, true)) return;
  services_.loop.Post([self = weak_.Get()] {
    if (self) self->Tidy();
  });
}

void ExecJob::Tidy() {
  tidying_ = false;
  // The exit has been written: the kernel's worker, which sends it, goes first.
  if (exit_sent_) sched_yield();
  for (Output& output : outputs_) {
    if (output.ended) output.pipe->Close();
  }
  if (!exit_sent_) return;
  LeaveOutput();
  group_->OnFirstEnded([self = weak_.Get()] {
    if (!self) return;
    self->gone_ = true;
    self->on_change_();
  });
}

void ExecJob::Drain() {
  for (Output& output : outputs_) {
    while (*output.left > 0 && !channel_.blocked()) ReadOutput(output);
    if (*output.left > 0) return;  // on with it when the channel has drained
  }
  SendExit();
  TidyLater();
  on_change_();
}

void ExecJob::SendExit() {
  exit_sent_ = true;
  const bool signaled = WIFSIGNALED(*wait_status_);
  int code = signaled ? 128 + WTERMSIG(*wait_status_) : WEXITSTATUS(*wait_status_);
  capsem::guest::v1::ExecExit exit;
  if (failure_) {
    code = failure_->code;
    exit.set_error(failure_->sentence);
  }
  if (timed_out_) code = kTimedOut;
  exit.set_code(static_cast<uint32_t>(code));
  exit.set_signal(signaled ? static_cast<uint32_t>(WTERMSIG(*wait_status_)) : 0);
  exit.set_timed_out(timed_out_);
  exit.set_duration_us(static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(ended_at_ - started_at_).count()));
  channel_.Send(FrameKind::kExecExit, exit.SerializeAsString());
  channel_.Finish();
}

// Nobody listens any more. An end of file says that nobody writes any more either; otherwise a
// process of its own reads on.
void ExecJob::LeaveOutput() {
  for (Output& output : outputs_) {
    if (output.pipe->AtEnd()) output.pipe->Close();
  }
  if (!outputs_[0].pipe->open() && !outputs_[1].pipe->open()) return;
  const Status left = StartDrain(outputs_[0].pipe->Release(), outputs_[1].pipe->Release(),
                                 services_.environment, group_->fork_fd());
  if (!left.ok()) log::Warning("survivors lose their output", {{"why", left}});
}

// Nothing was started, and nothing is left of it.
void ExecJob::Refuse(const Status& why) {
  channel_.Refuse(kNotTried, Describe(why));
  gone_ = true;
  on_change_();
}

}  // namespace capsem::agent
