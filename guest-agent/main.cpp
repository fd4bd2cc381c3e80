// PID 1 of the guest: boots the machine, then serves its host.
#include <fcntl.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "base/log.h"
#include "boot/boot.h"

namespace {

// The one line on the console that says why there will be no machine.
[[noreturn]] void GiveUp(const capsem::Status& status) {
  const std::string line = "<2>capsem-agent: " + capsem::Describe(status) + "\n";
  [[maybe_unused]] const ssize_t told = write(STDERR_FILENO, line.data(), line.size());
  reboot(RB_POWER_OFF);
  _exit(1);
}

}  // namespace

int main() {
  if (getpid() != 1) {
    fmt::print(stderr, "capsem-agent is the first program of a capsem machine; it cannot be run\n");
    return 2;
  }
  capsem::log::Configure("capsem-agent", "");
  auto machine = capsem::agent::Boot();
  if (!machine.ok()) GiveUp(machine.status());
  for (;;) pause();
}
