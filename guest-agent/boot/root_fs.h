// The root of the guest: the image's EROFS below, the session's disk above, as one overlay; and the
// kernel's file systems in it. Runs once, before there is a loop or a user's program.
#pragma once

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::agent {

// proc, sys and dev of the initramfs: what finding the disks needs.
Status MountKernelFileSystems();
// Mounts both disks (names under /dev) and the overlay, moves proc, sys and dev there, makes it the
// root and frees the initramfs. What comes back is the disk's own root folder, which no path of the
// guest leads to: for syncing it, and for making it read-only at the end.
StatusOr<UniqueFd> EnterRoot(const std::string& image, const std::string& disk);
// What programs expect to find mounted (pts, shm, run, tmp, cgroup2), and /workspace.
Status MountUserFileSystems();

}  // namespace capsem::agent
