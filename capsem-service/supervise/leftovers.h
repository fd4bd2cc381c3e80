// Processes of machines whose service is gone: capsem-process and QEMU, known by their program and
// by the session's folder that they work in. Some are to be adopted; the others are dying already,
// or will at the end of their lease: they are ended for whoever is about to use those folders
// again. Blocking; at the start of a service, before anything is served.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <vector>

namespace capsem::service {

// A capsem-process that works in that session's folder?
bool IsProcessOf(pid_t pid, const std::string& session_dir);

// Ends those that work in folders directly below `sessions`, but for `spared` and their children,
// and waits up to five seconds until they have: the names of the folders where one has not.
std::vector<std::string> EndLeftovers(const std::string& sessions, const std::set<pid_t>& spared);

}  // namespace capsem::service
