// Processes of machines whose service is gone: capsem-process and QEMU, known by their program and
// by the session's folder that they work in. They are dying already, of the death of their parents;
// this is for whoever is about to use those folders again. Blocking; at the start of a service,
// before anything is served.
#pragma once

#include <string>
#include <vector>

namespace capsem::service {

// Ends those that work in folders directly below `sessions`, and waits up to five seconds until
// they have: the names of the folders where one has not.
std::vector<std::string> EndLeftovers(const std::string& sessions);

}  // namespace capsem::service
