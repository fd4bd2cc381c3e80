// What people and scripts read: tables, JSON, errors. Text that came from elsewhere is printed
// without the control characters that terminals obey.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace capsem::cli {

// Control characters as \xNN; invalid UTF-8 likewise.
std::string Printable(std::string_view text);

// Columns as wide as their widest cell, two spaces between them, no space at the end of a line.
class Table {
 public:
  explicit Table(std::vector<std::string> heads) : rows_{std::move(heads)} {}
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "key:   value" lines; keys aligned.
std::string KeyValues(const std::vector<std::pair<std::string, std::string>>& pairs);

// With a line feed at its end.
std::string JsonText(const nlohmann::ordered_json& json);

// {"code", "cause", "remedy"}.
nlohmann::ordered_json ErrorJson(const Status& status);
// "capsem: cause\n  remedy\n", or {"error": ErrorJson}.
std::string ErrorText(const Status& status, bool json);

std::string Bytes(uint64_t count);                       // "1.5 GiB"
std::string Age(int64_t since_unix_ms, int64_t now_ms);  // "3 minutes"
std::string TimeText(int64_t unix_ms);                   // "2024-05-01 12:00:00 UTC"

// All of it, or why not (lost_output).
Status WriteStdout(std::string_view text);
void WriteStderr(std::string_view text);

}  // namespace capsem::cli
