// Bytes as a configuration file: whatever they are, they are understood, or refused with a
// sentence.
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
    if (key != nullptr && key->Store(value, settings).ok()) ENSURE(!key->Text(settings).empty());
  }
  return 0;
}
