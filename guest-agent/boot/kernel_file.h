// The one-line files in which the kernel says and is told things: proc, sys, cgroup. They never
// sleep on a user's file system, but paths can be mounted over: after boot they are reached only by
// descriptors that were opened before a user's program ran.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::agent {

// At most 64 KiB, without the trailing newline. `directory` may be AT_FDCWD.
StatusOr<std::string> ReadKernelFile(int directory, const std::string& path);
// One write call: what the kernel refuses is the error.
Status WriteKernelFile(int directory, const std::string& path, std::string_view text);

}  // namespace capsem::agent
