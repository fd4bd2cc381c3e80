// What can be done with sessions: create, stop, delete; and what happens to them when their
// machines live or die. Runs the flows (boot, halt) and owns them. Owned by app; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/loop.h"
#include "base/status.h"
#include "session/boot.h"
#include "session/halt.h"
#include "session/machine_tools.h"
#include "session/session_table.h"
#include "supervise/kvm_status.h"

namespace capsem::service {

class Sessions {
 public:
  using Done = absl::AnyInvocable<void(Status)>;
  using Created = absl::AnyInvocable<void(StatusOr<capsem::v1::Session>)>;

  // `folder` holds the sessions' folders; the table too must outlive this.
  Sessions(Loop& loop, SessionTable& table, KvmStatus& kvm, MachineTools tools, std::string folder);
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  // Answers when the session is recorded and its machine is starting.
  void Create(capsem::v1::CreateSessionRequest request, Created created);
  // Answers when the machine is gone. FailedPrecondition: it does not run.
  void Stop(std::string_view session, std::chrono::milliseconds grace, Done done);
  // Answers when nothing is left.
  void Delete(std::string_view session, Done done);
  // Deletes every session; creates are refused from now on.
  void EndAll(absl::AnyInvocable<void()> done);

 private:
  void Begin(const capsem::v1::CreateSessionRequest& request, const HostKind& host,
             Created created);
  void StartBoot(SessionSlot& slot, Created created);
  void OnStarted(const SessionId& id);
  void OnBootDone(const SessionId& id, const Status& status);
  void OnMachine(const SessionId& id, const capsem::process::v1::MachineEvent& event);
  void OnProcessGone(const SessionId& id, const std::string& reason);
  void OnDead(SessionSlot& slot, const std::string& reason);
  void ForgetOldFailures();
  void StartHalt(SessionSlot& slot, Halt::Plan plan, Done done);
  void Refuse(const Status& status, Done done);
  void OnHalted(const SessionId& id, const Status& status, Done done);
  void LookWhetherAllEnded();

  struct Booting {
    std::unique_ptr<Boot> flow;
    Created created;  // answered once
  };

  Loop& loop_;
  SessionTable& table_;
  KvmStatus& kvm_;
  MachineTools tools_;
  const std::string folder_;
  bool closing_ = false;
  absl::AnyInvocable<void()> all_ended_;
  std::deque<SessionId> failures_;  // of ephemeral sessions, oldest first
  std::map<SessionId, Booting> boots_;
  std::map<SessionId, std::unique_ptr<Halt>> halts_;
  WeakOwner<Sessions> weak_{this};
};

}  // namespace capsem::service
