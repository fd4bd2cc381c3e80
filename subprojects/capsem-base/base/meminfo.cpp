#include "base/meminfo.h"

#include <cstdlib>
#include <fstream>
#include <string>

namespace capsem {

std::optional<uint64_t> MeminfoBytes(std::string_view key) {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key) || line[key.size()] != ':') continue;
    return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10) * 1024;
  }
  return std::nullopt;
}

}  // namespace capsem
