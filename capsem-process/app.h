// Builds every collaborator of capsem-process once, in order; destroys them in reverse. The only
// place that knows all: the machine, its vsock port, the guest behind it, this process's life, and
// process.sock.
#pragma once

#include <memory>
#include <string>

#include "api/door.h"
#include "api/process_rpc.h"
#include "base/loop.h"
#include "base/timer.h"
#include "bulk_peer.h"
#include "config.h"
#include "guard/parent_watch.h"
#include "guest/guest_session.h"
#include "lease.h"
#include "life.h"
#include "machine/machine.h"
#include "replug.h"
#include "rpc/endpoint.h"
#include "vsock_port.h"

namespace capsem::process {

class App {
 public:
  // Starts the machine, then serves process.sock; readiness of the guest is told on Hold.
  static StatusOr<std::unique_ptr<App>> Create(Loop& loop, Config config);
  int exit_code() const { return exit_code_; }

 private:
  App(Loop& loop, Config config);

  Status Start();
  Status StartMachine();
  Machine::Events MachineEvents();
  Status Serve();
  ProcessVerbs Verbs();
  GuestSession::Events GuestEvents();
  VsockPort::Events PortEvents();
  void Stop(uint32_t grace_ms, absl::AnyInvocable<void(Status)> done);
  void OnStalled(const Status& why);
  void OnMachineExit(Machine::Exit exit);
  // Everything that waits ends with this reason; the process leaves when nobody listens any more.
  void End(Machine::Exit exit);
  // For a service that is not our parent.
  void LeaveLastWord(const Machine::Exit& exit);
  void OnDeviceLost(const Status& why);
  void OnLeaseOver();
  void LeaveWhenIdle();
  void Leave();

  Loop& loop_;
  Config config_;
  int exit_code_ = 0;
  bool leaving_ = false;
  bool keep_;                // the session is to be found again when this process is gone
  bool stop_asked_ = false;  // by the host
  bool lease_over_ = false;  // which is why it was asked
  const Door door_;
  Life life_;
  Lease lease_;
  std::unique_ptr<ParentWatch> parent_;
  std::unique_ptr<GuestSession> guest_;
  BulkPeer bulk_;
  std::unique_ptr<VsockPort> port_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Replug> replug_;
  Timer boot_limit_;
  Timer stop_limit_;
  Timer lost_limit_;
  Timer stall_retry_;
  Timer leave_limit_;
  std::unique_ptr<ProcessRpc> rpc_;
  std::unique_ptr<rpc::ServerEndpoint> endpoint_;
};

}  // namespace capsem::process
