// Which block device is which: the host names its disks by their virtio serial, for the order in
// which the kernel finds them is no promise.
#pragma once

#include <chrono>
#include <string>

#include "base/status.h"
#include "boot/uevents.h"

namespace capsem::agent {

// The device's name under /dev. `block_folder` is /sys/block.
StatusOr<std::string> FindDisk(const std::string& block_folder, const std::string& serial);
// Waits for the kernel to announce it when it is not there yet.
StatusOr<std::string> AwaitDisk(Uevents& uevents, const std::string& serial);

}  // namespace capsem::agent
