// Bytes as a configuration file: whatever they are, they are understood, or refused with a
// sentence, and what is stored is within its key's bounds.
#include <string_view>

#include "settings/setting_keys.h"
#include "settings/toml_values.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto values = capsem::ParseToml(text, "file");
  if (!values.ok()) {
    ENSURE(capsem::Message(values.status()).starts_with("file:"));
    return 0;
  }
  capsem::Settings settings;
  for (const capsem::TomlValue& value : *values) {
    ENSURE(value.line > 0);
    const capsem::SettingKey* const key = capsem::FindSettingKey(value.key);
    if (key == nullptr || !key->Store(value, settings).ok()) continue;
    ENSURE(!key->Text(settings).empty());
    const auto* number = std::get_if<int64_t>(&value.value);
    if (number != nullptr) ENSURE(*number >= key->least && *number <= key->most);
  }
  return 0;
}
