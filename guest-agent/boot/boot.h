// From the kernel's hand-over to a machine in which programs can run: modules, disks, root, limits
// of the agent itself. Runs once, in PID 1, before there is a loop; the descriptors it brings are
// opened here because no path may be walked later (a user could have mounted over it).
#pragma once

#include "base/status.h"
#include "base/unique_fd.h"
#include "boot/uevents.h"

namespace capsem::agent {

struct BootedMachine {
  Uevents uevents;
  UniqueFd disk_root;  // the session's disk
  UniqueFd proc;
  UniqueFd cgroup;  // root of cgroup2
  UniqueFd random;  // /dev/random, for reseeding
  UniqueFd null;    // /dev/null
  UniqueFd ptmx;    // of /dev/pts, only to be opened again
};

StatusOr<BootedMachine> Boot();

}  // namespace capsem::agent
