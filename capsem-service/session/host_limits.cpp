#include "session/host_limits.h"

#include <fmt/format.h>

namespace capsem::service {

std::string LimitsOf(int landlock) {
  if (landlock == 0) return "rlimit, seccomp";
  return fmt::format("rlimit, seccomp, Landlock ABI {}", landlock);
}

std::string LandlockProblem(int landlock) {
  if (landlock != 0) return {};
  return "this kernel has no Landlock: of your files, a QEMU that a guest has taken over could "
         "open "
         "all that you can (Linux has it since 5.13; where it is switched off, add landlock to "
         "lsm= "
         "on the kernel's command line)";
}

}  // namespace capsem::service
