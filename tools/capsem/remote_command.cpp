#include "remote_command.h"

#include <signal.h>

#include "output.h"
#include "wire/exit_code.h"

namespace capsem::cli {
namespace {

const v1::ExecStart& StartOf(const v1::ExecInput& first) {
  return first.has_run() ? first.run().exec() : first.start();
}

}  // namespace

RemoteCommand::RemoteCommand(Loop& loop, Server server, v1::ExecInput first, Streams streams,
                             Events events)
    : loop_(loop),
      server_(std::move(server)),
      events_(std::move(events)),
      detached_(StartOf(first).detach()),
      bound_(first.has_run()),
      attached_(first.has_attach()),
      timeout_s_(StartOf(first).timeout_ms() / 1000.0),
      out_(loop, streams.out, "stdout", [this] { Pump(); }),
      err_(loop, streams.err, "stderr", [this] { Pump(); }) {
  stream_ = server_.open({
      .on_event = [this](v1::ExecEvent event) { OnEvent(std::move(event)); },
      .on_ready =
          [this] {
            if (input_) input_->Pause(false);
          },
      .on_closed = [this](Status status) { OnClosed(std::move(status)); },
  });
  stream_->Write(std::move(first));
  if (streams.in >= 0) StartInput(streams.in);
}

void RemoteCommand::StartInput(int fd) {
  input_ = std::make_unique<InputSource>(loop_, fd,
                                         InputSource::Events{
                                             .on_bytes =
                                                 [this](std::string_view bytes) {
                                                   v1::ExecInput input;
                                                   input.set_stdin(std::string(bytes));
                                                   if (!stream_->Write(std::move(input)))
                                                     input_->Pause(true);
                                                 },
                                             .on_end =
                                                 [this] {
                                                   v1::ExecInput input;
                                                   input.set_stdin_eof(true);
                                                   stream_->Write(std::move(input));
                                                 },
                                         });
}

void RemoteCommand::OnInterrupt() {
  ++interrupts_;
  if (!started_ || attached_ || interrupts_ > 2) return End(kExitInterrupted);
  v1::SignalRequest request;
  request.set_session(started_->session());
  request.set_exec(started_->exec());
  request.set_signal(interrupts_ == 1 ? SIGINT : SIGKILL);
  server_.signal(request);
}

void RemoteCommand::Resize(const v1::TerminalSize& size) {
  if (ended_) return;
  v1::ExecInput input;
  *input.mutable_resize() = size;
  stream_->Write(std::move(input));
}

void RemoteCommand::OnEvent(v1::ExecEvent event) {
  pending_.push_back(std::move(event));
  Pump();
}

void RemoteCommand::OnClosed(Status status) {
  closed_ = std::move(status);
  Pump();
}

void RemoteCommand::Pump() {
  const auto self = weak_.Get();
  while (self && !ended_ && !pending_.empty() && out_.idle() && err_.idle()) {
    const v1::ExecEvent event = std::move(pending_.front());
    pending_.pop_front();
    Handle(event);
  }
  if (!self || ended_) return;
  if (Status failed = OutputStatus(); !failed.ok()) return End(std::move(failed));
  const bool full = !out_.idle() || !err_.idle();
  if (!closed_) stream_->PauseReading(full);
  if (full || !pending_.empty()) return;
  // The machine of `run` is gone when the service has ended the call: only then the command is over
  // for good.
  if (exit_code_ && (closed_ || !bound_)) return End(*exit_code_);
  if (!closed_) return;
  if (!closed_->ok()) return End(*closed_);
  if (detached_ && started_) return End(kExitOk);
  End(Unavailable("the service ended the call without telling how the command ended"));
}

void RemoteCommand::Handle(const v1::ExecEvent& event) {
  if (event.has_started()) {
    started_ = event.started();
    events_.on_started(*started_);
  }
  if (event.has_exit()) exit_code_ = static_cast<int>(event.exit().code());
  if (!events_.collect) return Print(event);
  if (collected_.ok()) collected_ = events_.collect(event);
}

void RemoteCommand::Print(const v1::ExecEvent& event) {
  switch (event.kind_case()) {
    case v1::ExecEvent::kStdout: return out_.Write(event.stdout());
    case v1::ExecEvent::kStderr: return err_.Write(event.stderr());
    case v1::ExecEvent::kExit: return PrintEnd(event.exit());
    case v1::ExecEvent::kDropped:
      return err_.Write(
          fmt::format("capsem: {} bytes of output came before and are gone\n", event.dropped()));
    case v1::ExecEvent::kStarted:
    case v1::ExecEvent::KIND_NOT_SET: break;  // of a newer service
  }
}

void RemoteCommand::PrintEnd(const v1::ExecExit& exit) {
  if (!exit.error().empty()) err_.Write("capsem: " + Printable(exit.error()) + '\n');
  if (!exit.timed_out()) return;
  err_.Write(fmt::format("capsem: the command was ended after {:g} s (--timeout)\n", timeout_s_));
}

Status RemoteCommand::OutputStatus() const {
  if (!collected_.ok()) return collected_;
  return out_.status().ok() ? err_.status() : out_.status();
}

void RemoteCommand::End(StatusOr<int> result) {
  if (std::exchange(ended_, true)) return;
  input_ = nullptr;
  stream_ = nullptr;
  events_.on_end(std::move(result));
}

}  // namespace capsem::cli
