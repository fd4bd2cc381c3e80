// One line per event to stderr, as JSON: {"time","level","component","session"?,"message", key:
// value…}. Text of a guest or a peer goes in as a value and is escaped. LOG calls are safe from any
// thread (one write per line).
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace capsem::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// A key with its formatted value: {"pid", 12}.
struct Field {
  template <typename T>
  Field(std::string_view name, const T& v) : key(name), value(fmt::format("{}", v)) {}
  std::string_view key;
  std::string value;
};

// Said once at start by main: the program's name and, in capsem-process, its session ("" = none).
// Level from CAPSEM_LOG.
void Configure(std::string_view component, std::string_view session);
void SetLevel(Level level);

void Write(Level level, std::string_view message, std::initializer_list<Field> fields = {});
inline void Debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kDebug, message, fields);
}
inline void Info(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kInfo, message, fields);
}
inline void Warning(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kWarning, message, fields);
}
inline void Error(std::string_view message, std::initializer_list<Field> fields = {}) {
  Write(Level::kError, message, fields);
}

// A JSON string literal with its quotes; invalid UTF-8 becomes U+FFFD.
std::string JsonQuote(std::string_view text);

}  // namespace capsem::log
