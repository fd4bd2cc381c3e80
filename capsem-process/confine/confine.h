// How capsem-process and its QEMU are shut in, in three steps, in this order (docs/confinement.md):
//
//   1. ConfineBoth, before anything else: limits, and one Landlock domain that QEMU inherits
//   2. QemuFilter (syscall_filter.h), put on between QEMU's fork and exec
//   3. ConfineSelf, all threads, before the guest's first instruction
//
// No Landlock layer is added after step 2: it would take from capsem-process its right over QEMU.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/landlock.h"
#include "base/status.h"

namespace capsem::process {

struct ConfineSpec {
  std::string session_folder;  // all that may be written
  std::string qemu;            // the only program that may be executed
  bool kvm = false;
  std::vector<int> image_files;  // descriptors of what QEMU opens again, by /proc/self/fd/N
  int max_landlock_abi = LandlockSpec{}.max_abi;
};

// Before the first thread. The ABI of Landlock that is in force; 0 = none.
StatusOr<int> ConfineBoth(const ConfineSpec& spec);

// From now on this process accepts connections on `listener` alone, signals `qemu` and itself
// alone, and starts nothing.
Status ConfineSelf(int listener, pid_t qemu);

}  // namespace capsem::process
