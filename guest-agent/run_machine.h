// PID 1 from its first line to the end of the machine.
#pragma once

#include <absl/functional/any_invocable.h>

#include "base/loop.h"
#include "base/status.h"

namespace capsem::agent {

// Boots, then serves the host for as long as the machine lives; `prepare` comes between the two. It
// returns only when there can be no machine, with the reason on the console, and powers off.
int RunMachine(absl::AnyInvocable<Status(Loop&)> prepare);

}  // namespace capsem::agent
