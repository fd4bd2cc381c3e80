// The machine as a QEMU child: made of its memory, its console, its monitor and its vsock plug.
// Owned by the app, on the loop.
//
// Boot, downwards in time:  spawn (stopped) → the monitor answers → the vsock device is plugged in
// → the guest runs. QEMU ends with the guest, because `-no-reboot` stands on its command line; its
// end is heard by pidfd, and what it said before by then lies in the sockets and is read first.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/weak.h"
#include "machine/exit_verdict.h"
#include "machine/machine.h"
#include "machine/qemu_child.h"
#include "machine/qmp_client.h"
#include "machine/serial_ring.h"
#include "machine/vsock_plug.h"

namespace capsem::process {

struct QemuSpec {
  std::vector<std::string> argv;          // with holes; ram, qmp and serial are filled from here
  std::map<std::string, UniqueFd> files;  // for the other holes: kernel, initrd, root, disk
  uint64_t memory_bytes = 0;
  std::vector<sock_filter> filter = {};  // of QEMU's system calls
  std::string serial_log_dir;  // the console's ring is made there; also QEMU's working folder
};

class QemuMachine : public Machine {
 public:
  static StatusOr<std::unique_ptr<QemuMachine>> Create(Loop& loop, QemuSpec spec, Events events);
  ~QemuMachine() override;

  void Boot(UniqueFd vsock_end, Done done) override;
  void Kill(const std::string& why) override;
  void Pause(Done done) override;
  void Resume(Done done) override;
  void PlugVsock(UniqueFd vsock_end, Done done) override;
  void UnplugVsock(Done done) override;
  pid_t pid() const override;

  // Bytes of the console that were not kept.
  uint64_t dropped_console_bytes() const { return serial_->dropped_bytes(); }

 private:
  QemuMachine(Loop& loop, QemuSpec spec, Events events);
  Status MakeEnds();

  // Boot's steps.
  Status Spawn();
  void Greet();
  void PlugFirst();
  void StartGuest();
  void FinishBoot();
  void FailBoot(Status status);

  void Command(std::string name, Done done);
  void OnMonitorEvent(const QmpEvent& event);
  void OnMonitorEnd(const Status& status);
  void OnBlockError(const QmpEvent& event);
  // QEMU should leave by itself from now on; it is killed when it does not.
  void ExpectEnd(std::string otherwise);
  void OnExit(ExitReason reason);

  Loop& loop_;
  QemuSpec spec_;
  Events events_;
  UniqueFd vsock_end_;  // until it is plugged in
  Done boot_done_;
  Status boot_failure_;
  Clock::TimePoint boot_began_;
  ExitFacts facts_{};
  bool stalled_ = false;

  UniqueFd monitor_end_;
  std::unique_ptr<SerialRing> serial_;
  std::unique_ptr<QemuChild> child_;
  std::unique_ptr<QmpClient> qmp_;
  std::unique_ptr<VsockPlug> plug_;
  Timer leave_limit_;
  WeakOwner<QemuMachine> weak_{this};
};

}  // namespace capsem::process
