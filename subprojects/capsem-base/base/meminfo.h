// The host's memory, as /proc/meminfo tells it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace capsem {

// In bytes; `key` is "MemAvailable", for example. Nullopt: the kernel does not tell.
std::optional<uint64_t> MeminfoBytes(std::string_view key);

}  // namespace capsem
