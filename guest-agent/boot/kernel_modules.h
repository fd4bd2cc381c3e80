// Loads the kernel modules that the initramfs brings: load.order names them, one file name to a
// line, dependencies first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace capsem::agent {

// File names in order; blank lines and comments (#) are skipped. InvalidArgument: a name with a
// slash in it.
StatusOr<std::vector<std::string>> ParseLoadOrder(std::string_view text);
// A module that is loaded already, or is for other hardware, is no error; the first one that fails
// ends it.
Status LoadKernelModules(const std::string& folder);

}  // namespace capsem::agent
