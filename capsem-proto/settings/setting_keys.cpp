#include "settings/setting_keys.h"

#include <algorithm>

#include "base/planted.h"
#include "wire/ids.h"
#include "wire/limits.h"

namespace capsem {
namespace {

// Far above what the memory of a host allows, which is what is judged when a session starts.
constexpr uint32_t kMostRunning = 1000;
// 1 TiB of a disk that no session may take.
constexpr uint32_t kMostFreeMib = 1024 * 1024;
// Longer, and a machine that nobody will ever ask for again would be a leak.
constexpr uint32_t kMostLeaseSeconds = 600;

// Some times what is kept in memory (wire::kExecSpoolMemory); at the most all that commands which
// have ended may leave (wire::kFinishedSpools).
constexpr uint32_t kLeastSpoolMib = 4;
constexpr uint32_t kMostSpoolMib = 1024;

constexpr std::string_view kFromNextStart = "sessions that are started from then on";
constexpr std::string_view kFromNextCreate = "sessions that are created from then on";

// As file names they must lead nowhere else; a digest is one, too.
bool IsImageName(std::string_view text) { return SessionName::Parse(text).ok(); }
bool IsIsolation(std::string_view text) { return text == "any" || text == "hardware"; }

// What stands in the file instead, short enough for a line.
std::string Found(const TomlValue& value) {
  constexpr size_t kMostShown = 60;
  if (const auto* number = std::get_if<int64_t>(&value.value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value.value))
    return fmt::format("\"{}\"", std::string_view(*text).substr(0, kMostShown));
  return std::string(std::get<TomlValue::Other>(value.value).kind);
}

}  // namespace

std::string SettingKey::Range() const {
  if (std::holds_alternative<std::string Settings::*>(field)) return std::string(wanted);
  return fmt::format("a whole number from {} to {}", least, most);
}

Status SettingKey::Store(const TomlValue& value, Settings& settings) const {
  if (const auto* member = std::get_if<uint32_t Settings::*>(&field)) {
    const auto* number = std::get_if<int64_t>(&value.value);
    // Planted 1: large numbers are as good as others. Planted 2: where a number belongs is one.
    if ((number != nullptr || PLANTED(2)) && *number >= least && (*number <= most || PLANTED(1))) {
      settings.** member = static_cast<uint32_t>(*number);
      return OkStatus();
    }
  } else {
    const auto* text = std::get_if<std::string>(&value.value);
    if (text != nullptr && allows(*text)) {
      settings.*std::get<std::string Settings::*>(field) = *text;
      return OkStatus();
    }
  }
  return InvalidArgument("{} is {}: it must be {}", name, Found(value), Range());
}

std::string SettingKey::Text(const Settings& settings) const {
  if (const auto* member = std::get_if<uint32_t Settings::*>(&field))
    return std::to_string(settings.**member);
  return settings.*std::get<std::string Settings::*>(field);
}

const std::vector<SettingKey>& SettingKeys() {
  static const std::vector<SettingKey> keys = {
      {.name = "max_running",
       .field = &Settings::max_running,
       .standard = "10",
       .least = 1,
       .most = kMostRunning,
       .help = "sessions with a machine at a time; the host's memory is a limit of its own",
       .applies = kFromNextStart},
      {.name = "min_free_mib",
       .field = &Settings::min_free_mib,
       .standard = "2048",
       .least = 64,
       .most = kMostFreeMib,
       .help = "no session starts with less of the disk free, in MiB",
       .applies = kFromNextStart},
      {.name = "require_isolation",
       .field = &Settings::require_isolation,
       .standard = "any",
       .allows = IsIsolation,
       .wanted = R"("any" or "hardware")",
       .help = "\"hardware\": no session starts where KVM cannot be used",
       .applies = kFromNextStart},
      {.name = "orphan_lease_s",
       .field = &Settings::orphan_lease_s,
       .standard = "10",
       .least = 0,
       .most = kMostLeaseSeconds,
       .help = "how long machines go on when the service is gone, waiting for the next, in seconds",
       .applies = kFromNextStart},
      {.name = "exec_spool_mib",
       .field = &Settings::exec_spool_mib,
       .standard = "64",
       .least = kLeastSpoolMib,
       .most = kMostSpoolMib,
       .help = "how much of a command's output waits for a reader, in MiB of disk",
       .applies = kFromNextStart},
      {.name = "default_cpus",
       .field = &Settings::default_cpus,
       .standard = "2, or 1 when emulated",
       .least = wire::kMinCpus,
       .most = wire::kMaxCpus,
       .help = "processors of a session that asks for none in particular",
       .applies = kFromNextCreate},
      {.name = "default_memory_mib",
       .field = &Settings::default_memory_mib,
       .standard = "1024, or 512 when emulated",
       .least = wire::kMinMemoryMib,
       .most = wire::kMaxMemoryMib,
       .help = "memory of a session that asks for none in particular, in MiB",
       .applies = kFromNextCreate},
      {.name = "default_disk_gib",
       .field = &Settings::default_disk_gib,
       .standard = "16",
       .least = wire::kMinDiskGib,
       .most = wire::kMaxDiskGib,
       .help = "how large a session's disk may grow, in GiB",
       .applies = kFromNextCreate},
      {.name = "default_image",
       .field = &Settings::default_image,
       .standard = "base",
       .allows = IsImageName,
       .wanted = "an image's name, 1 to 64 letters, digits, - and _",
       .help = "image of a session that asks for none in particular",
       .applies = kFromNextCreate},
  };
  return keys;
}

const SettingKey* FindSettingKey(std::string_view name) {
  const auto found = std::ranges::find(SettingKeys(), name, &SettingKey::name);
  return found == SettingKeys().end() ? nullptr : &*found;
}

}  // namespace capsem
