#include "session/sessions.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "session/admission.h"
#include "session/session_dir.h"

namespace capsem::service {

using capsem::process::v1::MachineEvent;
using capsem::v1::CreateSessionRequest;
using State = Session::State;

namespace {

// Failed ephemeral sessions stay listed with their logs, the newest of them (architecture §1).
constexpr size_t kFailuresKept = 5;

Status Died(const Session& session, const std::string& reason) {
  return WithRemedy(Unavailable("the machine of session {} is gone: {}", session.label(), reason),
                    fmt::format("see `capsem logs {}`", session.label()));
}

// For people: what happened, and what helps where that is known.
std::string ReasonOf(const Status& status) {
  const std::string remedy = Remedy(status);
  return remedy.empty() ? std::string(Message(status))
                        : fmt::format("{} ({})", Message(status), remedy);
}

}  // namespace

Sessions::Sessions(Loop& loop, SessionTable& table, KvmStatus& kvm, MachineTools tools,
                   std::string folder)
    : loop_(loop), table_(table), kvm_(kvm), tools_(std::move(tools)), folder_(std::move(folder)) {}

void Sessions::Create(CreateSessionRequest request, Created created) {
  kvm_.Ask([self = weak_.Get(), request = std::move(request),
            created = std::move(created)](const KvmStatus::Answer& kvm) mutable {
    if (self) self->Begin(request, {.kvm = kvm.usable}, std::move(created));
  });
}

void Sessions::Begin(const CreateSessionRequest& request, const HostKind& host, Created created) {
  if (closing_) return created(Unavailable("the service is shutting down"));
  auto spec = CheckCreate(request, host.emulation());
  if (!spec.ok()) return created(spec.status());
  HostRoom room = MeasureHost(folder_);
  room.running = table_.running();
  const Status admitted = Admit(*spec, room);
  if (!admitted.ok()) return created(admitted);
  auto slot = table_.Add(*std::move(spec), host, Clock::WallMillis());
  if (!slot.ok()) return created(slot.status());
  StartBoot(**slot, std::move(created));
}

void Sessions::StartBoot(SessionSlot& slot, Created created) {
  const SessionId id = slot.session.id();
  Boot::Events events{
      .on_started = [this, id] { OnStarted(id); },
      .on_machine =
          [self = weak_.Get(), id](const MachineEvent& event) {
            if (self) self->OnMachine(id, event);
          },
      .on_process_gone =
          [self = weak_.Get(), id](const std::string& reason) {
            if (self) self->OnProcessGone(id, reason);
          },
      .on_done = [this, id](const Status& status) { OnBootDone(id, status); },
  };
  Booting& booting = boots_[id];
  booting.flow = std::make_unique<Boot>(loop_, slot, tools_, std::move(events));
  booting.created = std::move(created);
  booting.flow->Start();
}

void Sessions::OnStarted(const SessionId& id) {
  auto created = std::exchange(boots_.at(id).created, nullptr);
  SessionSlot& slot = *table_.Find(id);
  table_.Touch(slot);
  created(slot.session.ToProto());
}

void Sessions::OnBootDone(const SessionId& id, const Status& status) {
  const auto node = boots_.extract(id);  // it is on the stack: it goes when this returns
  Booting& booting = node.mapped();
  SessionSlot& slot = *table_.Find(id);
  const auto halt = halts_.find(id);
  if (halt != halts_.end()) {
    if (booting.created) booting.created(status);
    return halt->second->OnBootOver();
  }
  if (status.ok()) {
    slot.session.set_pids(slot.process->pid(), 0);
    return table_.Touch(slot);
  }
  if (!booting.created) return OnDead(slot, ReasonOf(status));
  // Refused before anybody was told of it: nothing of it stays.
  slot.client.Close(status);
  table_.To(slot, State::kGone);
  booting.created(status);
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
    return table_.To(*slot, State::kRunning);
  }
  if (event.state() != MachineEvent::STATE_GONE) return;
  if (!event.clean()) return OnDead(*slot, event.reason());
  const std::string reason = "it powered itself off";
  slot->client.Close(Died(slot->session, reason));
  StartHalt(*slot, {Halt::Kind::kStop, {}, reason}, [](const Status&) {});
}

void Sessions::OnProcessGone(const SessionId& id, const std::string& reason) {
  SessionSlot* const slot = table_.Find(id);
  if (slot == nullptr) return;
  slot->process = nullptr;
  slot->session.set_pids(0, 0);
  if (const auto boot = boots_.find(id); boot != boots_.end()) {
    return boot->second.flow->OnProcessGone(reason);
  }
  if (slot->session.live()) return OnDead(*slot, reason);
  table_.Touch(*slot);
  if (const auto halt = halts_.find(id); halt != halts_.end()) halt->second->OnProcessGone();
}

void Sessions::OnDead(SessionSlot& slot, const std::string& reason) {
  slot.client.Close(Died(slot.session, reason));
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
  if (!found.ok()) return Refuse(found.status(), std::move(done));
  SessionSlot& slot = **found;
  const auto halt = halts_.find(slot.session.id());
  if (halt != halts_.end()) return halt->second->Join(std::move(done));
  if (slot.session.live()) return StartHalt(slot, {Halt::Kind::kStop, grace, {}}, std::move(done));
  const Session& it = slot.session;
  Refuse(WithRemedy(FailedPrecondition("session {} is {}: it does not run", it.label(),
                                       NameOf(it.state())),
                    fmt::format("`capsem delete {}` removes it", it.label())),
         std::move(done));
}

void Sessions::Delete(std::string_view session, Done done) {
  auto found = table_.Find(session);
  if (!found.ok()) return Refuse(found.status(), std::move(done));
  SessionSlot& slot = **found;
  const auto halt = halts_.find(slot.session.id());
  if (halt == halts_.end()) return StartHalt(slot, {Halt::Kind::kDelete, {}, {}}, std::move(done));
  halt->second->Join(std::move(done));
  halt->second->Hasten();
}

void Sessions::Refuse(const Status& status, Done done) {
  loop_.Post([status, done = std::move(done)]() mutable { done(status); });
}

void Sessions::StartHalt(SessionSlot& slot, Halt::Plan plan, Done done) {
  const SessionId id = slot.session.id();
  table_.To(slot, State::kStopping,
            plan.reason.empty() ? slot.session.reason() : std::move(plan.reason));
  const auto boot = boots_.find(id);
  auto& halt = halts_[id];
  halt = std::make_unique<Halt>(loop_, slot, plan.kind,
                                [this, id, done = std::move(done)](const Status& status) mutable {
                                  OnHalted(id, status, std::move(done));
                                });
  halt->Start(plan.grace, boot != boots_.end());
  if (boot != boots_.end()) boot->second.flow->Cancel();
}

void Sessions::OnHalted(const SessionId& id, const Status& status, Done done) {
  const auto node = halts_.extract(id);  // it is on the stack: it goes when this returns
  SessionSlot& slot = *table_.Find(id);
  if (!status.ok()) log::Error("a session left something behind", {{"reason", status}});
  if (node.mapped()->removes()) {
    std::erase(failures_, id);
    table_.To(slot, State::kGone);
  } else {
    table_.To(slot, State::kStopped, slot.session.reason());
  }
  done(status);
  LookWhetherAllEnded();
}

void Sessions::EndAll(absl::AnyInvocable<void()> done) {
  closing_ = true;
  all_ended_ = std::move(done);
  for (SessionSlot* slot : table_.All()) Delete(slot->session.id().text(), [](const Status&) {});
  loop_.Post([self = weak_.Get()] {
    if (self) self->LookWhetherAllEnded();
  });
}

void Sessions::LookWhetherAllEnded() {
  if (!all_ended_ || !table_.All().empty()) return;
  auto all_ended = std::exchange(all_ended_, nullptr);
  all_ended();
}

}  // namespace capsem::service
