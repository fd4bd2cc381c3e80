// What people have configured: config.toml is the user's, corp.toml the administrator's. A key that
// corp.toml says is locked: it wins. Files are read whole or not at all: a bad one is an error that
// names file, line and key, and changes nothing. A file that is not there says nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "settings/setting_keys.h"
#include "wire/run_dir.h"

namespace capsem {

struct SettingsFiles {
  std::string config;
  std::string corp;

  // <config folder>/config.toml and /etc/capsem/corp.toml. CAPSEM_TEST_CORP_FILE names another file
  // than the latter, for tests, and means nothing where that one exists.
  static SettingsFiles Of(const RunDir& dir);
};

// One key, and why it is what it is.
struct Setting {
  enum class Origin { kDefault, kConfig, kCorp };

  const SettingKey* key = nullptr;
  std::string value;  // as a person reads it
  Origin origin = Origin::kDefault;
  std::string place = {};    // FILE:LINE; "" of a default
  std::string ignored = {};  // of a locked key: where config.toml says something, too

  bool locked() const { return origin == Origin::kCorp; }
};

struct LoadedSettings {
  Settings values;
  std::vector<Setting> list;  // in the table's order
  SettingsFiles files;

  const Setting& Of(std::string_view key) const;
  // What a person can do about it: "`max_running` in …/config.toml changes that", or who locked it.
  std::string HowToChange(std::string_view key) const;
};

// With no file at all: the defaults.
StatusOr<LoadedSettings> LoadSettings(const SettingsFiles& files);
// NotFound: it is not there.
Status CheckSettingsFile(const std::string& path);

}  // namespace capsem
