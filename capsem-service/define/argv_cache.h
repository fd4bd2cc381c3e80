// What libvirt once said about a shape, kept in a folder: a file per shape, good as long as the
// shape's XML, our rules and every file that the answer came from (QEMU, libvirt, our compiler) are
// what they were. These functions block, and own no state.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace capsem::service {

struct CompiledShape {
  std::vector<std::string> argv;  // with its {fd:…} and {session:…} holes
  std::string qemu_version;
  std::string libvirt_version;
  std::vector<std::string> files;  // that the answer depends on
};

// nullopt: not there, not readable, or no longer true. A cache is never an error.
std::optional<CompiledShape> LoadShape(const std::string& folder, const std::string& xml);
// Makes the folder. A reader sees the old file or the new one.
Status StoreShape(const std::string& folder, const std::string& xml, const CompiledShape& shape);

}  // namespace capsem::service
