#include "api/exec_call.h"

#include <signal.h>

#include <utility>

#include "base/log.h"
#include "session/exec_spec.h"

namespace capsem::service {

using capsem::v1::ExecEvent;
using capsem::v1::ExecInput;

namespace {

constexpr size_t kMaxStdin = 256 * 1024;  // of one message (execs.proto)

Status NoFirst(const char* what) {
  return WithRemedy(InvalidArgument("{}", what),
                    "send `start` (Exec), `run` (Run) or `attach` (Attach) first, then stdin");
}

// Of a command that has been asked for.
Status CheckInput(const ExecInput& input) {
  if (input.has_start() || input.has_run() || input.has_attach())
    return NoFirst("a call is about one command, that of its first input");
  TRY(CheckSize(input.resize()));
  if (input.stdin().size() <= kMaxStdin) return OkStatus();
  return WithRemedy(InvalidArgument("{} bytes of stdin in one input: the limit is {}",
                                    input.stdin().size(), kMaxStdin),
                    "send it in several inputs");
}

Status CheckRun(const capsem::v1::RunStart& run) {
  if (!run.session().name().empty() || !run.exec().session().empty()) {
    return WithRemedy(InvalidArgument("a session made for one command has no name"),
                      "leave the name out, or create a session and exec in it");
  }
  if (run.exec().detach()) {
    return WithRemedy(InvalidArgument("a session made for one command ends with its call"),
                      "create a session and exec in it with detach");
  }
  return CheckExec(run.exec());
}

}  // namespace

ExecCall::ExecCall(Verb verb, Shared& shared, std::unique_ptr<Stream> stream,
                   absl::AnyInvocable<void()> on_over)
    : verb_(verb),
      table_(shared.table),
      sessions_(shared.sessions),
      gate_(shared.gate),
      stream_(std::move(stream)),
      on_over_(std::move(on_over)),
      way_(shared.loop) {
  Stream::Events events;
  events.on_message = [this](ExecInput input) { OnInput(std::move(input)); };
  events.on_inputs_end = [this] {
    if (!first_seen_) return End(NoFirst("no input at all"));
    if (exec_ && takes_inputs_) exec_->FinishWriting();
  };
  events.on_ready = [this] {
    client_full_ = false;
    ReadOn();
  };
  events.on_closed = [this](bool cancelled) {
    if (cancelled && !client_gone_) LoseClient();
  };
  stream_->Begin(std::move(events));
}

void ExecCall::OnInput(ExecInput input) {
  if (client_gone_ || over_) return;
  if (!std::exchange(first_seen_, true)) return OnFirst(std::move(input));
  const Status checked = CheckInput(input);
  if (checked.ok()) return Forward(std::move(input));
  stream_->Finish(checked);
  LoseClient();
}

void ExecCall::OnFirst(ExecInput input) {
  switch (verb_) {
    case Verb::kRun:
      if (!input.has_run()) return End(NoFirst("the first input of Run is `run`"));
      return StartRun(std::move(*input.mutable_run()));
    case Verb::kExec:
      if (!input.has_start()) return End(NoFirst("the first input of Exec is `start`"));
      return StartExec(std::move(*input.mutable_start()));
    case Verb::kAttach:
      if (!input.has_attach()) return End(NoFirst("the first input of Attach is `attach`"));
      takes_inputs_ = true;
      return Open(input.attach().session(), input);
  }
}

void ExecCall::StartExec(capsem::v1::ExecStart start) {
  const Status checked = CheckExec(start);
  if (!checked.ok()) return End(checked);
  start_ = std::move(start);
  takes_inputs_ = start_.stdin_open() || start_.has_pty();
  const std::string session = start_.session();
  ExecInput first;
  *first.mutable_start() = start_;
  Open(session, std::move(first));
}

void ExecCall::StartRun(capsem::v1::RunStart run) {
  const Status checked = CheckRun(run);
  if (!checked.ok()) return End(checked);
  start_ = std::move(*run.mutable_exec());
  takes_inputs_ = start_.stdin_open() || start_.has_pty();
  creating_ = true;
  stream_->PauseReading(true);  // until there is somebody to read what comes
  sessions_.Create(run.session(), service::Sessions::Owner::kCall,
                   [self = weak_.Get()](const StatusOr<capsem::v1::Session>& session) {
                     if (self) self->OnCreated(session);
                   });
}

void ExecCall::OnCreated(const StatusOr<capsem::v1::Session>& session) {
  creating_ = false;
  if (!session.ok()) return End(session.status());
  bound_ = session->id();
  if (client_gone_) return End(Cancelled("the caller went away"));
  start_.set_session(bound_);
  ExecInput first;
  *first.mutable_start() = start_;
  Open(bound_, std::move(first));
  stream_->PauseReading(false);
}

void ExecCall::Open(const std::string& session, ExecInput first) {
  const auto found = table_.Live(session);
  if (!found.ok()) return End(found.status());
  session_ = (*found)->session.id();
  ProcessExec::Events events;
  events.on_event = [this](ExecEvent event) { OnEvent(std::move(event)); };
  events.on_ready = [this] {
    if (!client_gone_) stream_->PauseReading(false);
  };
  events.on_closed = [this](const Status& status) { OnProcessClosed(status); };
  ProcessClient& client = *(*found)->client;
  exec_ =
      verb_ == Verb::kAttach ? client.Attach(std::move(events)) : client.Exec(std::move(events));
  if (!takes_inputs_) {
    exec_->WriteLast(std::move(first));
    return;
  }
  exec_->Write(std::move(first));
  for (ExecInput& early : std::exchange(early_, {})) Forward(std::move(early));
}

void ExecCall::Forward(ExecInput input) {
  if (!takes_inputs_) return;  // its request is whole, and nobody would read this
  if (!exec_) return early_.push_back(std::move(input));
  if (!exec_->Write(std::move(input))) stream_->PauseReading(true);
}

void ExecCall::OnEvent(ExecEvent event) {
  if (event.has_started()) OnStarted(*event.mutable_started());
  if (event.has_exit()) exit_seen_ = true;
  if (client_gone_ || over_) return;
  if (exit_seen_ && bound_.empty()) {
    // Nothing comes after it: its process need not say so.
    stream_->FinishWith(event, OkStatus());
    return End(OkStatus());
  }
  client_full_ = !stream_->Write(event);
  MakeWay(event);
  if (client_full_) exec_->PauseReading(true);
}

void ExecCall::MakeWay(const ExecEvent& event) {
  const size_t bytes = event.stdout().size() + event.stderr().size();
  const auto wait = gate_.Pass(*session_, bytes, Clock::Now());
  if (wait == wait.zero()) return;
  exec_->PauseReading(true);
  way_.Start(wait, [this] { ReadOn(); });
}

void ExecCall::ReadOn() {
  if (exec_ && !client_full_ && !way_.active()) exec_->PauseReading(false);
}

void ExecCall::OnStarted(capsem::v1::ExecStarted& started) {
  exec_id_ = started.exec();
  started.set_session(session_->text());
  if (SessionSlot* slot = table_.Find(*session_))
    started.set_isolation(slot->session.host().isolation());
  if (client_gone_) LoseClient();
}

void ExecCall::OnProcessClosed(const Status& status) {
  if (!status.ok() || exit_seen_ || start_.detach()) return End(status);
  End(Internal("the command's stream ended without its exit"));
}

void ExecCall::LoseClient() {
  client_gone_ = true;
  if (over_) return;
  const Status gone = Cancelled("the caller went away");
  if (verb_ == Verb::kRun) {
    if (!creating_) End(gone);
    return;
  }
  if (!exec_ || exit_seen_ || verb_ == Verb::kAttach) return End(gone);
  // What has not started yet may start at any moment: it is judged then.
  exec_->PauseReading(false);
  if (exec_id_ == 0) return;
  const bool keep = start_.on_disconnect() == capsem::v1::ON_DISCONNECT_KEEP || start_.detach();
  if (keep) return End(gone);
  Kill();
}

void ExecCall::Kill() {
  SessionSlot* const slot = table_.Find(*session_);
  if (slot == nullptr) return;
  capsem::v1::SignalRequest request;
  request.set_session(session_->text());
  request.set_exec(exec_id_);
  request.set_signal(SIGKILL);
  slot->client->Signal(request, [](const Status& status) {
    // NotFound: it ended by itself in the same moment.
    if (status.ok() || status.code() == StatusCode::kNotFound) return;
    log::Warning("a command whose caller went away was not ended", {{"reason", status}});
  });
}

void ExecCall::End(const Status& status) {
  if (std::exchange(over_, true)) return;
  exec_ = nullptr;
  if (bound_.empty()) {
    if (!client_gone_) stream_->Finish(status);
    return Over();
  }
  sessions_.Delete(bound_, [self = weak_.Get(), status](const Status&) {
    if (!self) return;
    if (!self->client_gone_) self->stream_->Finish(status);
    self->Over();
  });
}

void ExecCall::Over() {
  auto on_over = std::move(on_over_);
  on_over();
}

}  // namespace capsem::service
