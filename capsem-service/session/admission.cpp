#include "session/admission.h"

#include <sys/statvfs.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <string_view>

#include "wire/limits.h"

namespace capsem::service {
namespace {

constexpr uint64_t kMib = 1024 * 1024;
constexpr uint64_t kPlenty = std::numeric_limits<uint64_t>::max();

uint64_t MemoryAvailable() {
  std::ifstream file("/proc/meminfo");
  constexpr std::string_view kKey = "MemAvailable:";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kKey))
      return std::strtoull(line.c_str() + kKey.size(), nullptr, 10) * 1024;
  }
  return kPlenty;
}

uint64_t DiskFree(const std::string& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return kPlenty;
  return uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace

HostRoom MeasureHost(const std::string& sessions_dir) {
  return {.disk_free = DiskFree(sessions_dir), .memory_available = MemoryAvailable()};
}

Status AdmitDisk(uint64_t free) {
  if (free >= wire::kMinFreeBytes) return OkStatus();
  return WithRemedy(
      ResourceExhausted("{} MiB of disk are free where sessions are kept: {} MiB are needed",
                        free / kMib, wire::kMinFreeBytes / kMib),
      "free some disk space, or set CAPSEM_HOME to a larger disk");
}

Status Admit(uint32_t memory_mib, const HostRoom& room) {
  if (room.running >= wire::kMaxRunningSessions) {
    return WithRemedy(ResourceExhausted("{} sessions run: the limit is {}", room.running,
                                        wire::kMaxRunningSessions),
                      "stop one (`capsem list`, `capsem stop`)");
  }
  TRY(AdmitDisk(room.disk_free));
  if (room.memory_available < uint64_t{memory_mib} * kMib) {
    return WithRemedy(ResourceExhausted("{} MiB of memory are free: this session wants {} MiB",
                                        room.memory_available / kMib, memory_mib),
                      "ask for less memory, or stop another session");
  }
  return OkStatus();
}

}  // namespace capsem::service
