// What can be done with the machines of sessions: create, start, stop, restart, delete; and what
// happens to sessions when their machines live or die. Runs the flows (adoption, boot, halt) and
// owns them. What is allowed when is in verb_rules. Owned by app; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/status.h"
#include "session/admission.h"
#include "session/adoption.h"
#include "session/boot.h"
#include "session/halt.h"
#include "session/machine_tools.h"
#include "session/recover.h"
#include "session/session_table.h"
#include "session/verb_rules.h"
#include "supervise/kvm_status.h"

namespace capsem::service {

class Sessions {
 public:
  using Done = absl::AnyInvocable<void(Status)>;
  using Created = absl::AnyInvocable<void(StatusOr<capsem::v1::Session>)>;
  // Whose is the session: its user's, or the call's that makes it and will delete it?
  enum class Owner { kUser, kCall };

  // What is referred to must outlive this; the settings may change.
  Sessions(Loop& loop, SessionTable& table, KvmStatus& kvm, MachineTools tools,
           const LoadedSettings& settings);
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  // Those of an earlier service; before anything else. What runs is adopted: calls wait for that.
  // What has restarted itself is started. `since` is when the service began to look for them: the
  // log says how long it took until all of them were held.
  void Restore(std::vector<RecoveredSession> sessions, Clock::TimePoint since = Clock::Now());
  // Answers when the session is recorded and its machine is starting.
  void Create(capsem::v1::CreateSessionRequest request, Owner owner, Created created);
  // Answers when its machine is starting, or runs.
  void Start(std::string_view session, Created started);
  // Stops it, if it runs, and starts it.
  void Restart(std::string_view session, std::chrono::milliseconds grace, Created started);
  // Answers when the machine is gone. FailedPrecondition: it does not run.
  void Stop(std::string_view session, std::chrono::milliseconds grace, Done done);
  // Answers when nothing is left. When something is, it is still a session, failed, with the
  // reason.
  void Delete(std::string_view session, Done done);
  // Leaves the machines that the next service can adopt to it; nothing is started from now on, and
  // nothing of them is told any more. The others end when this does.
  void HandOver();
  // Stops the persistent sessions and deletes the others; nothing is started from now on.
  void EndAll(absl::AnyInvocable<void()> done);

 private:
  struct Wish {
    capsem::v1::CreateSessionRequest request;
    Owner owner;
  };
  StatusOr<SessionSlot*> Add(const Wish& wish, HostKind host);
  Status Admit(const Candidate& candidate) const;
  // The verbs, on a session that was found.
  void StartAgain(const SessionId& id, Created started);
  void BootAgain(const SessionId& id, HostKind host, Created started);
  void StopOrJoin(SessionSlot& slot, Verdict::Action action, std::chrono::milliseconds grace,
                  Done done);

  void Adopt(SessionSlot& slot, UniqueFd process);
  void OnAdopted(const SessionId& id, const Status& status);
  void StartBoot(SessionSlot& slot, Created created);
  void OnStarted(const SessionId& id);
  void OnRecorded(const SessionId& id, const Status& recorded);
  void Answer(const SessionId& id, const Status& status);
  void OnBootDone(const SessionId& id, const Status& status);
  void GoOnAfterRestart(const SessionId& id);
  void OnMachine(const SessionId& id, const capsem::process::v1::MachineEvent& event);
  void OnProcessGone(const SessionId& id, const ProcessEnd& end);
  void OnPoweredOff(SessionSlot& slot, const ProcessEnd& end);
  void OnDead(SessionSlot& slot, const std::string& reason);
  void ForgetOldFailures();
  void StartHalt(SessionSlot& slot, Halt::Plan plan, Done done);
  void OnHalted(const SessionId& id, const Status& status, Done done);
  void OnNotRemoved(SessionSlot& slot, const Status& why, Done done);
  void OnEnded(const Status& status, Done done);
  void LookWhetherAllEnded();

  Loop& loop_;
  SessionTable& table_;
  KvmStatus& kvm_;
  MachineTools tools_;
  const LoadedSettings& settings_;
  bool closing_ = false;
  absl::AnyInvocable<void()> all_ended_;
  std::deque<SessionId> failures_;  // of ephemeral sessions, oldest first
  std::map<SessionId, std::unique_ptr<Adoption>> adoptions_;
  Clock::TimePoint adopting_since_;
  std::map<SessionId, std::unique_ptr<Boot>> boots_;
  std::map<SessionId, Created> waiting_;  // for the session to be recorded and its machine to start
  std::map<SessionId, std::unique_ptr<Halt>> halts_;
  size_t ending_ = 0;  // halts, and their records that are being written
  WeakOwner<Sessions> weak_{this};
};

}  // namespace capsem::service
