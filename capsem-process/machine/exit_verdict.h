// What the end of QEMU means: from how the process ended, what it said by QMP and stderr, and what
// the guest printed last, to one sentence and whether this is how a machine should end. Pure.
//
// With `-no-reboot` and a kernel that reboots when it panics, a panic, a triple fault and a
// `reboot` all look alike to QEMU ("guest-reset"); what the kernel prints tells them apart. A
// guest's root can print what it likes there: it can only lie about its own end.
#pragma once

#include <string>

#include "base/child.h"
#include "machine/machine.h"
#include "machine/text_tail.h"

namespace capsem::process {

struct ExitFacts {
  ExitReason process;
  std::string shutdown;   // the reason of QMP's SHUTDOWN event, or ""
  bool panicked = false;  // QMP's GUEST_PANICKED came
  std::string killed;     // why we ended it while it ran, or ""
  std::string broken;     // why we gave QEMU up: it broke QMP, or did not leave; or ""
  const TextTail* stderr_tail;
  const TextTail* console;
};

Machine::Exit Judge(const ExitFacts& facts);

}  // namespace capsem::process
