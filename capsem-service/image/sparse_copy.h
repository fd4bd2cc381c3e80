// Copies of large, mostly empty files: disks.
#pragma once

#include <string>

#include "base/status.h"

namespace capsem::service {

// A new file at `path`, mode 0600, with the content of the open file `source`: shares its blocks
// where the file system can (reflink), else copies what is not a hole. AlreadyExists when there is
// something at `path`; after any other failure nothing is left there. Blocks: for RunBlocking.
Status CopySparse(int source, const std::string& path);

}  // namespace capsem::service
