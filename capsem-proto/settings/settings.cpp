#include "settings/settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/small_file.h"

namespace capsem {
namespace {

constexpr char kCorpFile[] = "/etc/capsem/corp.toml";
// Some hundred times what all keys take; nothing on a disk makes us allocate more.
constexpr size_t kMaxFile = 64 * 1024;

std::string AllKeys() {
  std::string names;
  for (const SettingKey& key : SettingKeys())
    names += fmt::format("{}{}", names.empty() ? "" : ", ", key.name);
  return names;
}

StatusOr<std::string> ReadFile(const std::string& path) {
  auto text = ReadSmallFile(AT_FDCWD, path, kMaxFile);
  if (text.ok() || text.status().code() == StatusCode::kNotFound) return text;
  // Of no use to us as it is, whatever it is.
  const Status status = text.status().code() == StatusCode::kDataLoss
                            ? InvalidArgument("{}", Message(text.status()))
                            : text.status();
  return WithRemedy(status, fmt::format("make {} a file that we can read, or remove it", path));
}

// Puts what one file says over what is there already.
Status Apply(const std::string& path, Setting::Origin origin, LoadedSettings& settings) {
  const std::string text = TRY(ReadFile(path));
  const std::string remedy = fmt::format("correct {}; `capsem config validate` checks it", path);
  auto values = ParseToml(text, path);
  if (!values.ok()) return WithRemedy(values.status(), remedy);
  for (const TomlValue& value : *values) {
    const std::string place = fmt::format("{}:{}", path, value.line);
    const SettingKey* const key = FindSettingKey(value.key);
    if (key == nullptr) {
      return WithRemedy(InvalidArgument("{}: there is no key called {}", place, value.key),
                        fmt::format("the keys are {}", AllKeys()));
    }
    const Status stored = key->Store(value, settings.values);
    if (!stored.ok()) return WithRemedy(Annotate(stored, "{}", place), remedy);
    Setting& setting = settings.list[static_cast<size_t>(key - SettingKeys().data())];
    const std::string over = setting.place;
    setting = {key, key->Text(settings.values), origin, place, over};
  }
  return OkStatus();
}

LoadedSettings Defaults(const SettingsFiles& files) {
  LoadedSettings settings;
  settings.files = files;
  for (const SettingKey& key : SettingKeys()) {
    settings.list.push_back({.key = &key, .value = std::string(key.standard)});
  }
  return settings;
}

Status OkIfMissing(const Status& status) {
  return status.code() == StatusCode::kNotFound ? OkStatus() : status;
}

}  // namespace

SettingsFiles SettingsFiles::Of(const RunDir& dir) {
  SettingsFiles files{dir.config + "/config.toml", kCorpFile};
  const char* for_tests = std::getenv("CAPSEM_TEST_CORP_FILE");
  // Whoever may set our variables shall not get around an administrator.
  if (for_tests != nullptr && access(kCorpFile, F_OK) != 0 && errno == ENOENT)
    files.corp = for_tests;
  return files;
}

const Setting& LoadedSettings::Of(std::string_view name) const {
  const SettingKey* const key = FindSettingKey(name);
  ENSURE(key != nullptr);
  return list.at(static_cast<size_t>(key - SettingKeys().data()));
}

std::string LoadedSettings::HowToChange(std::string_view name) const {
  const Setting& setting = Of(name);
  if (setting.locked()) return fmt::format("`{}` is locked by {}", name, setting.place);
  return fmt::format("`{}` in {} changes that", name, files.config);
}

StatusOr<LoadedSettings> LoadSettings(const SettingsFiles& files) {
  LoadedSettings settings = Defaults(files);
  TRY(OkIfMissing(Apply(files.config, Setting::Origin::kConfig, settings)));
  TRY(OkIfMissing(Apply(files.corp, Setting::Origin::kCorp, settings)));
  return settings;
}

Status CheckSettingsFile(const std::string& path) {
  LoadedSettings settings = Defaults({});
  return Apply(path, Setting::Origin::kConfig, settings);
}

}  // namespace capsem
