// The environment of a child of the service: an allowlist, for what stands in the caller's shell
// may be a secret, and everything that a child has may one day be seen by its guest. Pure.
#pragma once

#include <string>
#include <vector>

namespace capsem::service {

// Out of "KEY=value" entries: language, time zone and our own log level; PATH is set, not taken.
std::vector<std::string> ChildEnv(const std::vector<std::string>& environment);
// What this process was given.
std::vector<std::string> OwnEnvironment();

}  // namespace capsem::service
