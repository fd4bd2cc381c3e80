#include "session/sessions.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "session/sentence.h"
#include "session/session_dir.h"

namespace capsem::service {

using capsem::process::v1::MachineEvent;
using capsem::v1::CreateSessionRequest;
using State = Session::State;

namespace {

// Failed ephemeral sessions stay listed with their logs, the newest of them (architecture §1).
constexpr size_t kFailuresKept = 5;

// How long the guests of persistent sessions may take to power off when the service ends: as long
// as a stop gives them by default (sessions.proto).
constexpr std::chrono::seconds kLastGrace{10};

Status Died(const Session& session, const std::string& reason) {
  return WithRemedy(Unavailable("the machine of session {} is gone: {}", session.label(), reason),
                    fmt::format("see `capsem logs {}`", session.label()));
}

// An answer that is known at once, and still comes after its call has returned.
template <typename Callback>
void Post(Loop& loop, Callback callback, Status status) {
  loop.Post(
      [callback = std::move(callback), status = std::move(status)]() mutable { callback(status); });
}

}  // namespace

Sessions::Sessions(Loop& loop, SessionTable& table, KvmStatus& kvm, MachineTools tools,
                   const LoadedSettings& settings)
    : loop_(loop), table_(table), kvm_(kvm), tools_(std::move(tools)), settings_(settings) {}

void Sessions::Create(CreateSessionRequest request, Owner owner, Created created) {
  kvm_.Ask([self = weak_.Get(), wish = Wish{std::move(request), owner},
            created = std::move(created)](const KvmStatus::Answer& kvm) mutable {
    if (!self) return;
    auto slot = self->Add(wish, {.kvm = kvm.usable});
    if (!slot.ok()) return created(slot.status());
    self->StartBoot(**slot, std::move(created));
  });
}

StatusOr<SessionSlot*> Sessions::Add(const Wish& wish, HostKind host) {
  SessionSpec spec = TRY(CheckCreate(wish.request, host.emulation(), settings_.values));
  if (wish.owner == Owner::kCall) spec.kind = SessionKind::kBound;
  TRY(table_.CheckName(spec.name));
  TRY(Admit({spec.memory_mib, host}));
  return table_.Add(std::move(spec), host, Clock::WallMillis());
}

Status Sessions::Admit(const Candidate& candidate) const {
  if (closing_) {
    return WithRemedy(Unavailable("the service is shutting down"),
                      "`capsem service stop` waits for its end; then say it again");
  }
  HostRoom room = MeasureHost(table_.folder());
  room.running = table_.running();
  room.running_memory_mib = table_.running_memory_mib();
  return service::Admit(candidate, room, settings_);
}

void Sessions::Start(std::string_view session, Created started) {
  auto found = table_.Find(session);
  const Status allowed =
      found.ok() ? CheckVerb((*found)->session, SessionVerb::kStart).status() : found.status();
  if (!allowed.ok()) return Post(loop_, std::move(started), allowed);
  StartAgain((*found)->session.id(), std::move(started));
}

void Sessions::Restart(std::string_view session, std::chrono::milliseconds grace, Created started) {
  auto found = table_.Find(session);
  if (!found.ok()) return Post(loop_, std::move(started), found.status());
  SessionSlot& slot = **found;
  const auto verdict = CheckVerb(slot.session, SessionVerb::kRestart);
  if (!verdict.ok()) return Post(loop_, std::move(started), verdict.status());
  const SessionId id = slot.session.id();
  if (!slot.session.live() && verdict->action == Verdict::Action::kDo)
    return StartAgain(id, std::move(started));
  StopOrJoin(slot, verdict->action, grace,
             [self = weak_.Get(), id, started = std::move(started)](const Status& status) mutable {
               if (!self) return;
               if (!status.ok()) return started(status);
               self->StartAgain(id, std::move(started));
             });
}

void Sessions::StartAgain(const SessionId& id, Created started) {
  kvm_.Ask(
      [self = weak_.Get(), id, started = std::move(started)](const KvmStatus::Answer& kvm) mutable {
        if (self) self->BootAgain(id, {.kvm = kvm.usable}, std::move(started));
      });
}

void Sessions::BootAgain(const SessionId& id, HostKind host, Created started) {
  SessionSlot* const slot = table_.Find(id);
  if (slot == nullptr) return started(NotFound("session {} was deleted meanwhile", id.text()));
  const auto verdict = CheckVerb(slot->session, SessionVerb::kStart);
  if (!verdict.ok()) return started(verdict.status());
  if (verdict->action == Verdict::Action::kNothing) return started(slot->session.ToProto());
  if (slot->process) {
    // It has failed a moment ago: what is left of its machine has the disk.
    return StartHalt(
        *slot, {Halt::Kind::kStop, {}, slot->session.reason()},
        [self = weak_.Get(), id, host, started = std::move(started)](const Status& status) mutable {
          if (!self) return;
          if (!status.ok()) return started(status);
          self->BootAgain(id, host, std::move(started));
        });
  }
  const Status admitted = Admit({slot->session.record().memory_mib, host});
  if (!admitted.ok()) return started(admitted);
  slot->session.set_host(host);
  slot->RenewClient(loop_);
  table_.To(*slot, State::kCreating);
  StartBoot(*slot, std::move(started));
}

void Sessions::StartBoot(SessionSlot& slot, Created created) {
  const SessionId id = slot.session.id();
  Boot::Events events{
      .on_started = [this, id] { OnStarted(id); },
      .on_launched = [this,
                      id](Done recorded) { table_.Record(*table_.Find(id), std::move(recorded)); },
      .on_machine =
          [self = weak_.Get(), id](const MachineEvent& event) {
            if (self) self->OnMachine(id, event);
          },
      .on_process_gone =
          [self = weak_.Get(), id](const ProcessEnd& end) {
            if (self) self->OnProcessGone(id, end);
          },
      .on_done = [this, id](const Status& status) { OnBootDone(id, status); },
  };
  waiting_[id] = std::move(created);
  auto& boot = boots_[id];
  boot = std::make_unique<Boot>(loop_, slot, tools_, std::move(events));
  boot->Start();
}

void Sessions::OnStarted(const SessionId& id) {
  SessionSlot& slot = *table_.Find(id);
  table_.Touch(slot);
  if (slot.recorded) return Answer(id, OkStatus());
  // While the rest of the boot goes on.
  table_.Record(slot, [self = weak_.Get(), id](const Status& recorded) {
    if (self) self->OnRecorded(id, recorded);
  });
}

void Sessions::OnRecorded(const SessionId& id, const Status& recorded) {
  Answer(id,
         recorded.ok() ? recorded : Annotate(recorded, "session {} is not recorded", id.text()));
  SessionSlot* const slot = table_.Find(id);
  if (recorded.ok() || slot == nullptr || halts_.contains(id)) return;
  StartHalt(*slot, {Halt::Kind::kDelete, {}, {}}, [](const Status&) {});
}

// Whoever waits for it, if anybody still does.
void Sessions::Answer(const SessionId& id, const Status& status) {
  auto node = waiting_.extract(id);
  if (node.empty()) return;
  SessionSlot* const slot = table_.Find(id);
  if (!status.ok() || slot == nullptr) {
    return node.mapped()(status.ok() ? Cancelled("session {} was deleted", id.text()) : status);
  }
  node.mapped()(slot->session.ToProto());
}

void Sessions::OnBootDone(const SessionId& id, const Status& status) {
  const auto node = boots_.extract(id);  // it is on the stack: it goes when this returns
  SessionSlot& slot = *table_.Find(id);
  const auto halt = halts_.find(id);
  if (halt != halts_.end()) {
    Answer(id, status.ok() ? Cancelled("it was ended while it was starting") : status);
    return halt->second->OnBootOver();
  }
  if (status.ok()) {
    slot.session.set_pids(slot.process->pid(), 0);
    return table_.Touch(slot);
  }
  if (slot.recorded) {
    const bool told = node.mapped()->started();
    OnDead(slot, Sentence(status));
    if (!told) Answer(id, status);
    return;
  }
  // Refused before anybody was told of it: nothing of it stays.
  slot.client->Close(status);
  table_.To(slot, State::kGone);
  Answer(id, status);
}

void Sessions::OnMachine(const SessionId& id, const MachineEvent& event) {
  SessionSlot* const slot = table_.Find(id);
  if (slot == nullptr || !slot->process) return;
  if (event.machine_pid() != 0) {
    slot->process->HoldMachine(static_cast<pid_t>(event.machine_pid()));
    slot->session.set_pids(slot->process->pid(), slot->process->machine_pid());
  }
  if (!slot->session.live()) return;
  if (event.state() == MachineEvent::STATE_READY && slot->session.state() == State::kCreating) {
    table_.To(*slot, State::kRunning);
  }
  if (event.state() != MachineEvent::STATE_GONE) {
    if (slot->session.set_trouble(event.reason())) table_.Touch(*slot);
    return;
  }
  if (!event.clean()) return OnDead(*slot, event.reason());
  OnPoweredOff(*slot, {event.restart() ? "it restarted itself" : "it powered itself off", true,
                       event.restart()});
}

// What does not stay is gone by now.
void Sessions::GoOnAfterRestart(const SessionId& id) {
  if (table_.Find(id) == nullptr) return;
  StartAgain(id, [id](const StatusOr<capsem::v1::Session>& started) {
    if (started.ok()) return;
    log::Error("a guest has restarted itself, and its session does not start",
               {{"session", id.text()}, {"reason", started.status()}});
  });
}

void Sessions::OnPoweredOff(SessionSlot& slot, const ProcessEnd& end) {
  slot.client->Close(Died(slot.session, end.reason));
  StartHalt(slot, {Halt::Kind::kStop, {}, end.reason},
            [self = weak_.Get(), id = slot.session.id(), again = end.restart](const Status&) {
              if (self && again) self->GoOnAfterRestart(id);
            });
}

void Sessions::OnProcessGone(const SessionId& id, const ProcessEnd& end) {
  adoptions_.erase(id);
  SessionSlot* const slot = table_.Find(id);
  if (slot == nullptr) return;
  slot->process = nullptr;
  slot->session.set_pids(0, 0);
  SweepSessionDir(slot->dir);
  if (const auto boot = boots_.find(id); boot != boots_.end()) {
    return boot->second->OnProcessGone(end.reason);
  }
  if (slot->session.live() && end.clean) return OnPoweredOff(*slot, end);
  if (slot->session.live()) return OnDead(*slot, end.reason);
  table_.Touch(*slot);
  if (const auto halt = halts_.find(id); halt != halts_.end()) halt->second->OnProcessGone();
}

void Sessions::OnDead(SessionSlot& slot, const std::string& reason) {
  slot.client->Close(Died(slot.session, reason));
  if (!slot.session.persistent()) {
    RemoveSessionDisk(slot.dir);
    failures_.push_back(slot.session.id());
  }
  table_.To(slot, State::kFailed, reason);
  ForgetOldFailures();
}

void Sessions::ForgetOldFailures() {
  while (failures_.size() > kFailuresKept) {
    const SessionId oldest = failures_.front();
    failures_.pop_front();
    SessionSlot* const slot = table_.Find(oldest);
    if (slot == nullptr || slot->session.state() != State::kFailed) continue;
    StartHalt(*slot, {Halt::Kind::kDelete, {}, {}}, [](const Status&) {});
  }
}

void Sessions::Stop(std::string_view session, std::chrono::milliseconds grace, Done done) {
  auto found = table_.Find(session);
  if (!found.ok()) return Post(loop_, std::move(done), found.status());
  const auto verdict = CheckVerb((*found)->session, SessionVerb::kStop);
  if (!verdict.ok()) return Post(loop_, std::move(done), verdict.status());
  StopOrJoin(**found, verdict->action, grace, std::move(done));
}

void Sessions::StopOrJoin(SessionSlot& slot, Verdict::Action action,
                          std::chrono::milliseconds grace, Done done) {
  if (action == Verdict::Action::kDo)
    return StartHalt(slot, {Halt::Kind::kStop, grace, {}}, std::move(done));
  halts_.at(slot.session.id())->Join(std::move(done));
}

void Sessions::Delete(std::string_view session, Done done) {
  auto found = table_.Find(session);
  if (!found.ok()) return Post(loop_, std::move(done), found.status());
  SessionSlot& slot = **found;
  const auto halt = halts_.find(slot.session.id());
  if (halt == halts_.end()) return StartHalt(slot, {Halt::Kind::kDelete, {}, {}}, std::move(done));
  halt->second->Join(std::move(done));
  halt->second->Hasten();
}

void Sessions::StartHalt(SessionSlot& slot, Halt::Plan plan, Done done) {
  const SessionId id = slot.session.id();
  table_.To(slot, State::kStopping,
            plan.reason.empty() ? slot.session.reason() : std::move(plan.reason));
  const auto boot = boots_.find(id);
  auto& halt = halts_[id];
  ++ending_;
  halt = std::make_unique<Halt>(loop_, table_, slot, plan.kind,
                                [this, id, done = std::move(done)](const Status& status) mutable {
                                  OnHalted(id, status, std::move(done));
                                });
  halt->Start(plan.grace, boot != boots_.end());
  if (boot != boots_.end()) boot->second->Cancel();
}

void Sessions::OnHalted(const SessionId& id, const Status& status, Done done) {
  const auto node = halts_.extract(id);  // it is on the stack: it goes when this returns
  SessionSlot& slot = *table_.Find(id);
  if (!node.mapped()->removes()) {
    // What was told as stopped is found stopped.
    return table_.To(slot, State::kStopped, slot.session.reason(),
                     [self = weak_.Get(), done = std::move(done)](const Status& recorded) mutable {
                       if (!recorded.ok())
                         log::Error("a stop is not recorded", {{"reason", recorded}});
                       if (self) self->OnEnded(OkStatus(), std::move(done));
                     });
  }
  std::erase(failures_, id);
  if (!status.ok()) return OnNotRemoved(slot, status, std::move(done));
  table_.To(slot, State::kGone);
  Answer(id, Cancelled("session {} was deleted", id.text()));
  OnEnded(OkStatus(), std::move(done));
}

// What is left of it is still somebody's: it stays known, and can be deleted again.
void Sessions::OnNotRemoved(SessionSlot& slot, const Status& why, Done done) {
  const Status failed = Annotate(why, "session {} could not be deleted", slot.session.label());
  table_.To(slot, State::kFailed, fmt::format("it could not be deleted: {}", Message(why)));
  Answer(slot.session.id(), failed);
  table_.Record(
      slot, [self = weak_.Get(), failed, done = std::move(done)](const Status& recorded) mutable {
        if (!recorded.ok()) log::Error("a failed delete is not recorded", {{"reason", recorded}});
        if (self) self->OnEnded(failed, std::move(done));
      });
}

void Sessions::OnEnded(const Status& status, Done done) {
  --ending_;
  done(status);
  LookWhetherAllEnded();
}

void Sessions::EndAll(absl::AnyInvocable<void()> done) {
  closing_ = true;
  all_ended_ = std::move(done);
  for (SessionSlot* slot : table_.All()) {
    const Session& it = slot->session;
    if (!it.persistent()) {
      Delete(it.id().text(), [](const Status&) {});
    } else if (it.live()) {
      StartHalt(*slot, {Halt::Kind::kStop, kLastGrace, {}}, [](const Status&) {});
    }
  }
  loop_.Post([self = weak_.Get()] {
    if (self) self->LookWhetherAllEnded();
  });
}

void Sessions::LookWhetherAllEnded() {
  if (!all_ended_ || ending_ > 0) return;
  auto all_ended = std::exchange(all_ended_, nullptr);
  all_ended();
}

}  // namespace capsem::service
