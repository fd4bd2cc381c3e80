#include "session/admission.h"

#include <sys/statvfs.h>

#include <limits>

#include "base/meminfo.h"

namespace capsem::service {
namespace {

constexpr uint64_t kMib = 1024 * 1024;
constexpr uint64_t kPlenty = std::numeric_limits<uint64_t>::max();

uint64_t DiskFree(const std::string& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) return kPlenty;
  return uint64_t{info.f_bavail} * info.f_frsize;
}

Status AdmitMemory(uint32_t mib, const HostRoom& room) {
  constexpr const char* kRemedy = "ask for less memory (--memory), or stop another session";
  // Guests that have not used theirs yet will do so.
  if (room.running_memory_mib + mib > room.memory_total / kMib) {
    return WithRemedy(
        ResourceExhausted("the sessions that run have {} MiB of this host's {} MiB of memory: {} "
                          "MiB more are not there",
                          room.running_memory_mib, room.memory_total / kMib, mib),
        kRemedy);
  }
  if (room.memory_available / kMib >= mib) return OkStatus();
  return WithRemedy(ResourceExhausted("{} MiB of memory are free: this session wants {} MiB",
                                      room.memory_available / kMib, mib),
                    kRemedy);
}

}  // namespace

HostRoom MeasureHost(const std::string& sessions_dir) {
  HostRoom room;
  room.disk_free = DiskFree(sessions_dir);
  room.memory_available = MeminfoBytes("MemAvailable").value_or(kPlenty);
  room.memory_total = MeminfoBytes("MemTotal").value_or(kPlenty);
  return room;
}

Status AdmitIsolation(HostKind host, const LoadedSettings& settings) {
  if (host.kvm || settings.values.require_isolation != "hardware") return OkStatus();
  const Setting& required = settings.Of("require_isolation");
  return WithRemedy(
      FailedPrecondition("{} requires hardware isolation, and this host can only emulate machines",
                         required.place),
      fmt::format("`capsem status` says why KVM cannot be used; {}",
                  settings.HowToChange("require_isolation")));
}

Status AdmitDisk(uint64_t free, const LoadedSettings& settings) {
  if (free / kMib >= settings.values.min_free_mib) return OkStatus();
  return WithRemedy(
      ResourceExhausted("{} MiB of disk are free where sessions are kept: {} MiB are needed",
                        free / kMib, settings.values.min_free_mib),
      fmt::format("free some disk space, or set CAPSEM_HOME to a larger disk; {}",
                  settings.HowToChange("min_free_mib")));
}

Status Admit(const Candidate& candidate, const HostRoom& room, const LoadedSettings& settings) {
  TRY(AdmitIsolation(candidate.host, settings));
  if (room.running >= settings.values.max_running) {
    return WithRemedy(ResourceExhausted("{} sessions run: the limit is {}", room.running,
                                        settings.values.max_running),
                      fmt::format("stop one (`capsem list`, `capsem stop`); {}",
                                  settings.HowToChange("max_running")));
  }
  TRY(AdmitDisk(room.disk_free, settings));
  return AdmitMemory(candidate.memory_mib, room);
}

}  // namespace capsem::service
