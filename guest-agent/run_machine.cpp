#include "run_machine.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "agent.h"
#include "base/log.h"
#include "boot/boot.h"
#include "boot/identity.h"
#include "exec/cgroup_tree.h"
#include "process/signal_watch.h"
#include "vsock_dialer.h"

namespace capsem::agent {
namespace {

// When the guest's own root asks for the end (`poweroff`, `reboot`).
constexpr std::chrono::seconds kGrace{5};

// The one line on the console that says why there will be no machine.
void GiveUp(const Status& status) {
  const std::string line = "<2>capsem-agent: " + Describe(status) + "\n";
  [[maybe_unused]] const ssize_t told = write(STDERR_FILENO, line.data(), line.size());
  reboot(RB_POWER_OFF);
}

uint64_t MachineMemory() {
  struct sysinfo info {};
  sysinfo(&info);
  return uint64_t{info.totalram} * info.mem_unit;
}

void OnNews(Uevents& uevents, Agent& agent) {
  for (auto event = uevents.Next(); event.ok(); event = uevents.Next()) {
    // A device is ready once its driver is bound; an empty event stands for lost ones.
    if (event->subsystem == "virtio" || event->subsystem.empty()) agent.OnDevice();
  }
}

Status Run(absl::AnyInvocable<Status(Loop&)>& prepare) {
  BootedMachine machine = TRY(Boot());
  signal(SIGPIPE, SIG_IGN);
  Loop loop;
  const auto reaper = TRY(Reaper::Create(loop));
  const auto groups =
      TRY(CgroupTree::Create(loop, std::move(machine.cgroup), LimitsFor(MachineMemory())));
  const ExecServices services{
      loop, *reaper, *groups, {machine.null.get(), machine.proc.get(), machine.ptmx.get()}};
  const int random = machine.random.get();
  const UniqueFd root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  Agent agent(
      services, {root.get(), machine.proc.get()}, DialHost,
      [&](const auto& configure, auto done) {
        ApplyIdentity(loop, *reaper, random, configure, std::move(done));
      },
      RealMachine(machine.disk_root.get()));
  const auto goodbye = TRY(SignalWatch::Create(loop, {SIGPWR, SIGTERM, SIGRTMIN + 4},
                                               [&] { agent.BeginPowerOff(kGrace); }));
  // What the kernel itself sends for Ctrl-Alt-Del.
  const auto restart = TRY(SignalWatch::Create(
      loop, {SIGINT}, [&] { agent.BeginPowerOff(kGrace, PowerOff::End::kRestart); }));
  FdWatch news(loop, machine.uevents.fd(), [&](int) { OnNews(machine.uevents, agent); });
  news.Want(FdWatch::kReadable);
  TRY(prepare(loop));
  log::Info("ready");
  agent.OnDevice();
  loop.Run();
  return OkStatus();
}

}  // namespace

int RunMachine(absl::AnyInvocable<Status(Loop&)> prepare) {
  if (getpid() != 1) {
    fmt::print(stderr, "capsem-agent is the first program of a capsem machine; it cannot be run\n");
    return 2;
  }
  log::Configure("capsem-agent", "");
  GiveUp(Run(prepare));
  return 1;
}

}  // namespace capsem::agent
