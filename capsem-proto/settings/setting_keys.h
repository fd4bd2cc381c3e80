// The keys of config.toml and corp.toml, as one table: what a value must be, what it is when nobody
// says, what it does, and from when on. Pure. A key is added here, with whatever acts on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "settings/toml_values.h"

namespace capsem {

struct Settings {
  // 0: as the machine is, 2 and 1024, or 1 and 512 when it is emulated.
  uint32_t default_cpus = 0;
  uint32_t default_memory_mib = 0;
  uint32_t default_disk_gib = 16;
  std::string default_image = "base";
  uint32_t max_running = 10;
  uint32_t min_free_mib = 2048;
  std::string require_isolation = "any";
  uint32_t orphan_lease_s = 10;
  uint32_t exec_spool_mib = 64;

  bool operator==(const Settings&) const = default;
};

struct SettingKey {
  std::string_view name;
  std::variant<uint32_t Settings::*, std::string Settings::*> field;
  std::string_view standard;              // what it is when nobody says
  uint32_t least = 0, most = 0;           // of a number
  bool (*allows)(std::string_view) = {};  // of a text
  std::string_view wanted = {};           // of a text: what is allowed
  std::string_view help;
  std::string_view applies;

  // "a whole number from 1 to 8".
  std::string Range() const;
  // InvalidArgument says what is wanted instead; without file, line and key.
  Status Store(const TomlValue& value, Settings& settings) const;
  std::string Text(const Settings& settings) const;
};

// In the order in which people read them.
const std::vector<SettingKey>& SettingKeys();
// Nullptr: there is none.
const SettingKey* FindSettingKey(std::string_view name);

}  // namespace capsem
