// libvirt asks a QEMU about itself by starting one that has no machine; it runs as a daemon, so it
// outlives whoever started it when that one is killed in the middle. This finds those of one
// libvirt root, by the pid files there, and ends them.
#pragma once

#include <string>

namespace capsem::service {

// `root` is what libvirt was given as its root. Returns how many were ended.
int EndStrayProbes(const std::string& root);

}  // namespace capsem::service
