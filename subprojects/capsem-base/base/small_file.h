// A small file of ours, whole and bounded: nothing that lies on a disk makes us allocate more.
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"

namespace capsem {

// `folder` is a descriptor, or AT_FDCWD. NotFound when it is missing; DataLoss when it is larger
// than `max_bytes`, or no regular file.
StatusOr<std::string> ReadSmallFile(int folder, const std::string& name, size_t max_bytes);

// Replaces or makes the file at `path` whole, at 0600: readers see the old text or the new one.
Status WriteSmallFile(const std::string& path, std::string_view text);

// Removes what writers that were killed have left in a folder: NAME.new-XXXXXX. Only when nobody
// writes there; a folder that is missing is fine.
void RemoveUnfinishedIn(const std::string& folder);

}  // namespace capsem
