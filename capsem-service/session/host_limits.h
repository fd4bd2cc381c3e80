// How this host holds its machines, in words for `capsem status` and `capsem info`
// (docs/confinement.md). Pure.
#pragma once

#include <string>

namespace capsem::service {

// As "rlimit, seccomp, Landlock ABI 7"; the ABI is what LandlockAbi() answers.
std::string LimitsOf(int landlock);
// Why files are held back less than they could be, with what helps; "" = they are not.
std::string LandlockProblem(int landlock);

}  // namespace capsem::service
