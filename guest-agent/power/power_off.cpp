#include "power/power_off.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/unique_fd.h"
#include "process/worker.h"

namespace capsem::agent {
namespace {

// A process that hangs in the kernel cannot be killed; it is not waited for longer than this.
constexpr std::chrono::seconds kKillLimit{2};
// The host's disk may be slow or full: then the journal has to do.
constexpr std::chrono::seconds kSettleLimit{10};

// By descriptor: the mount lies below the root, where no path leads.
int SettleFileSystem(int disk_root) {
  if (syncfs(disk_root) != 0) return errno;
  const UniqueFd context(
      static_cast<int>(syscall(SYS_fspick, disk_root, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC)));
  if (!context.valid()) return errno;
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) != 0) return errno;
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) != 0)
    return errno;
  return 0;
}

}  // namespace

PowerOff::PowerOff(ExecServices& services, ExecTable& execs, Machine machine)
    : services_(services), execs_(execs), machine_(std::move(machine)), limit_(services.loop) {}

void PowerOff::Begin(std::chrono::milliseconds grace, End end) {
  if (std::exchange(begun_, true)) return;
  end_ = end;
  execs_.Disable();
  execs_.SignalAll(SIGTERM);
  machine_.signal_everybody(SIGTERM);
  limit_.Start(grace, [this] { KillAll(); });
  services_.groups.OnEmpty([self = weak_.Get()] {
    if (self && self->limit_.active()) self->KillAll();
  });
}

void PowerOff::KillAll() {
  services_.groups.KillAll();
  machine_.signal_everybody(SIGKILL);
  limit_.Start(kKillLimit, [this] { SettleDisk(); });
  services_.groups.OnEmpty([self = weak_.Get()] {
    if (self && self->limit_.active()) self->SettleDisk();
  });
}

void PowerOff::SettleDisk() {
  limit_.Cancel();
  RunInWorker(services_.loop, services_.reaper, kSettleLimit, machine_.settle_disk,
              [self = weak_.Get()](const Status& settled) {
                if (!settled.ok()) log::Error("the disk is not settled", {{"why", settled}});
                if (self) self->machine_.end(self->end_);
              });
}

PowerOff::Machine RealMachine(int disk_root) {
  return {
      [](int signal) { kill(-1, signal); }, [disk_root] { return SettleFileSystem(disk_root); },
      [](PowerOff::End end) { reboot(end == PowerOff::End::kOff ? RB_POWER_OFF : RB_AUTOBOOT); }};
}

}  // namespace capsem::agent
