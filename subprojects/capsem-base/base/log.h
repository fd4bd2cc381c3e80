// One line per event to stderr, as JSON: {"time","level","component","session"?,"message", key:
// value…}. Text of a guest or a peer goes in as a value and is escaped. LOG calls are safe from any
// thread (one write per line).
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/status.h"

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

// From now on stdout and stderr are the file at `path` (0600), so that what libraries print is in
// it, too. A line that finds it at `max_bytes` makes it PATH.1, in place of an older one: twice as
// much is kept, and a little. Where that cannot be done, what is there is given up: a program that
// runs for months must not fill the disk. Said once, by main.
Status KeepIn(const std::string& path, size_t max_bytes);

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
