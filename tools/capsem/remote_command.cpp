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
      out_(loop, streams.out, [this] { Pump(); }),
      err_(loop, streams.err, [this] { Pump(); }) {
  const bool forward_input = StartOf(first).stdin_open();
  stream_ = server_.open({
      .on_event = [this](v1::ExecEvent event) { OnEvent(std::move(event)); },
      .on_ready =
          [this] {
            if (input_) input_->Pause(false);
          },
      .on_closed = [this](Status status) { OnClosed(std::move(status)); },
  });
  stream_->Write(std::move(first));
  if (forward_input) StartInput(streams.in);
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
  if (!started_ || interrupts_ > 2) return End(kExitInterrupted);
  v1::SignalRequest request;
  request.set_session(started_->session());
  request.set_exec(started_->exec());
  request.set_signal(interrupts_ == 1 ? SIGINT : SIGKILL);
  server_.signal(request);
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
  switch (event.kind_case()) {
    case v1::ExecEvent::kStarted:
      started_ = event.started();
      events_.on_started(*started_);
      break;
    case v1::ExecEvent::kStdout: out_.Write(event.stdout()); break;
    case v1::ExecEvent::kStderr: err_.Write(event.stderr()); break;
    case v1::ExecEvent::kExit:
      if (!event.exit().error().empty())
        err_.Write("capsem: " + Printable(event.exit().error()) + '\n');
      exit_code_ = static_cast<int>(event.exit().code());
      break;
    case v1::ExecEvent::KIND_NOT_SET: break;  // of a newer service
  }
}

Status RemoteCommand::OutputStatus() const {
  return out_.status().ok() ? err_.status() : out_.status();
}

void RemoteCommand::End(StatusOr<int> result) {
  if (std::exchange(ended_, true)) return;
  input_ = nullptr;
  stream_ = nullptr;
  events_.on_end(std::move(result));
}

}  // namespace capsem::cli
