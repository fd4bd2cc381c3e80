// Platform: io_flusher; elsewhere: the machine powers off and says so.
#include "boot/boot.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "boot/disks.h"
#include "boot/kernel_file.h"
#include "boot/kernel_modules.h"
#include "boot/root_fs.h"

namespace capsem::agent {
namespace {

// Six descriptors for each of 1,000 commands, and room.
constexpr rlim_t kMaxDescriptors = 64 * 1024;

StatusOr<UniqueFd> OpenForLater(const char* path, int flags) {
  UniqueFd fd(open(path, flags | O_CLOEXEC));
  if (!fd.valid()) return FromErrno("open {}", path);
  return fd;
}

// The log goes to the kernel's ring: it has a time stamp on each line, and unlike a write to the
// serial console a write there never waits.
void LogToKernel() {
  const UniqueFd kmsg(open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
  if (kmsg.valid()) dup2(kmsg.get(), STDERR_FILENO);
}

Status RaiseLoopback() {
  const UniqueFd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!any.valid() || ioctl(any.get(), SIOCSIFFLAGS, &request) != 0) return FromErrno("raise lo");
  return OkStatus();
}

// What keeps the agent alive and answering when the machine is short of everything. Whatever it
// will touch stays in memory, its own writes never wait for reclaim that may need the agent, and
// the OOM killer looks elsewhere.
Status ProtectAgent(int proc) {
  TRY(WriteKernelFile(proc, "self/oom_score_adj", "-1000"));
  if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0) return FromErrno("become an IO flusher");
  // It does not push a command aside the moment that one has closed a pipe, which is mostly a
  // moment before its end: then there is one turn of the loop instead of two, and fuller reads.
  const sched_param no_priority{};
  if (sched_setscheduler(0, SCHED_BATCH, &no_priority) != 0) return FromErrno("become a batch");
  const rlimit descriptors{kMaxDescriptors, kMaxDescriptors};
  if (setrlimit(RLIMIT_NOFILE, &descriptors) != 0) return FromErrno("raise the descriptor limit");
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return FromErrno("lock the agent's memory");
  if (reboot(RB_DISABLE_CAD) != 0) return FromErrno("disable ctrl-alt-del");
  return OkStatus();
}

}  // namespace

StatusOr<BootedMachine> Boot() {
  TRY(MountKernelFileSystems());
  LogToKernel();
  log::Info("started");
  Uevents uevents = TRY(Uevents::Open());
  TRY(LoadKernelModules("/modules"));
  log::Info("modules are loaded");
  const std::string image = TRY(AwaitDisk(uevents, "capsem-root"));
  const std::string disk = TRY(AwaitDisk(uevents, "capsem-disk"));
  UniqueFd disk_root = TRY(EnterRoot(image, disk));
  TRY(MountUserFileSystems());
  log::Info("the root is mounted");
  TRY(RaiseLoopback());
  BootedMachine machine{
      std::move(uevents),
      std::move(disk_root),
      TRY(OpenForLater("/proc", O_PATH | O_DIRECTORY)),
      TRY(OpenForLater("/sys/fs/cgroup", O_PATH | O_DIRECTORY)),
      TRY(OpenForLater("/dev/random", O_WRONLY)),
      TRY(OpenForLater("/dev/null", O_RDWR)),
      TRY(OpenForLater("/dev/pts/ptmx", O_PATH)),
  };
  TRY(ProtectAgent(machine.proc.get()));
  return machine;
}

}  // namespace capsem::agent
