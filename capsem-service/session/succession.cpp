// The part of Sessions that is about the service before this one, and the one after.
#include "base/log.h"
#include "session/sessions.h"

namespace capsem::service {

using capsem::process::v1::MachineEvent;
using State = Session::State;

void Sessions::Restore(std::vector<RecoveredSession> sessions, Clock::TimePoint since) {
  adopting_since_ = since;
  for (RecoveredSession& one : sessions) {
    SessionSlot& slot = table_.Restore(std::move(one.record));
    if (one.process.valid()) {
      Adopt(slot, std::move(one.process));
    } else if (one.starts) {
      GoOnAfterRestart(slot.session.id());
    } else if (!slot.session.persistent()) {
      failures_.push_back(slot.session.id());
    }
  }
}

void Sessions::Adopt(SessionSlot& slot, UniqueFd process) {
  const SessionId id = slot.session.id();
  const SessionRecord& record = slot.session.record();
  AdoptedProcess adopted{record.process.pid, std::move(process), slot.dir, nullptr};
  if (tools_.groups != nullptr) {
    adopted.group = tools_.groups->Adopt(adopted.pid, {id.text(), record.cpus, record.memory_mib});
  }
  slot.process = ProcessHost::Adopt(loop_, std::move(adopted),
                                    {.on_listening = [] {},
                                     .on_gone =
                                         [self = weak_.Get(), id](const ProcessEnd& end) {
                                           if (self) self->OnProcessGone(id, end);
                                         }});
  slot.session.set_cgroup(slot.process->group_text());
  slot.session.set_pids(slot.process->pid(), slot.process->machine_pid());
  Adoption::Events events{
      .on_machine =
          [self = weak_.Get(), id](const MachineEvent& event) {
            if (self) self->OnMachine(id, event);
          },
      .on_done = [this, id](const Status& status) { OnAdopted(id, status); },
  };
  auto& adoption = adoptions_[id];
  adoption = std::make_unique<Adoption>(slot, std::move(events));
  adoption->Start();
}

void Sessions::OnAdopted(const SessionId& id, const Status& status) {
  const auto node = adoptions_.extract(id);  // it is on the stack: it goes when this returns
  if (adoptions_.empty()) {
    const auto took = Clock::Now() - adopting_since_;
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(took);
    log::Info("every machine of an earlier service is looked at", {{"took_ms", millis.count()}});
  }
  SessionSlot& slot = *table_.Find(id);
  if (status.ok() || !slot.process) return;
  log::Error("a machine of an earlier service cannot be adopted: it is ended",
             {{"session", id.text()}, {"reason", status}});
  slot.process->Kill(std::string(Message(status)));
}

// One that is starting is not left: of how far it has come the registry knows nothing. One that is
// stopping goes on with that by itself.
void Sessions::HandOver() {
  closing_ = true;
  for (SessionSlot* slot : table_.All()) {
    const State state = slot->session.state();
    const bool stays = state == State::kRunning || state == State::kStopping;
    if (!slot->process || !stays || slot->session.kind() == SessionKind::kBound) continue;
    slot->process->Leave();
    slot->client->Close(WithRemedy(
        Unavailable("the service is being restarted; session {} goes on", slot->session.label()),
        "say it again"));
  }
}

}  // namespace capsem::service
