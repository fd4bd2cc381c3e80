#include "output.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "args.h"
#include "lost_output.h"

namespace capsem::cli {
namespace {

using Json = nlohmann::ordered_json;

// "NOT_FOUND" → "NotFound", as the contract writes codes.
std::string CodeName(StatusCode code) {
  std::string name;
  bool upper = true;
  for (const char c : absl::StatusCodeToString(code)) {
    if (c != '_') name += upper ? c : static_cast<char>(c - 'A' + 'a');
    upper = c == '_';
  }
  return name;
}

// Cells are counted in characters, not in bytes.
size_t Width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string Padded(const std::string& text, size_t width) {
  const size_t own = Width(text);
  return own >= width ? text : text + std::string(width - own, ' ');
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  const bool utf8 = IsUtf8(text);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters, too: c2 80 to c2 9f.
    const bool control_lead =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    const bool control = byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8) || control_lead;
    if (control) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += text[i];
    }
    if (control_lead && utf8)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
  }
  return out;
}

std::string Table::ToString() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += Padded(row[i], widths[i]) + "  ";
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string KeyValues(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  size_t width = 0;
  for (const auto& [key, value] : pairs) width = std::max(width, Width(key) + 1);
  for (const auto& [key, value] : pairs) out += Padded(key + ':', width) + ' ' + value + '\n';
  return out;
}

std::string JsonText(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json ErrorJson(const Status& status) {
  return {{"code", CodeName(status.code())},
          {"cause", std::string(Message(status))},
          {"remedy", Remedy(status)}};
}

std::string ErrorText(const Status& status, bool json) {
  if (json) return JsonText({{"error", ErrorJson(status)}});
  const std::string remedy = Remedy(status);
  std::string text = "capsem: " + Printable(Message(status)) + '\n';
  if (!remedy.empty()) text += "  " + Printable(remedy) + '\n';
  return text;
}

std::string Bytes(uint64_t count) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(count);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", count) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string Age(int64_t since_unix_ms, int64_t now_ms) {
  const int64_t seconds = std::max<int64_t>(0, (now_ms - since_unix_ms) / 1000);
  const std::pair<int64_t, const char*> units[] = {
      {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
  for (const auto& [length, name] : units) {
    const int64_t count = seconds / length;
    if (count > 0) return fmt::format("{} {}{}", count, name, count == 1 ? "" : "s");
  }
  return "0 seconds";
}

std::string TimeText(int64_t unix_ms) {
  const time_t seconds = unix_ms / 1000;
  tm parts{};
  char text[40];
  if (gmtime_r(&seconds, &parts) == nullptr) return "";
  return std::string(text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts));
}

Status WriteStdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(STDOUT_FILENO, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return LostOutput("stdout", errno);
    text.remove_prefix(static_cast<size_t>(count));
  }
  return OkStatus();
}

void WriteStderr(std::string_view text) {
  // Who cannot be told that telling failed is told by the exit code.
  [[maybe_unused]] const ssize_t told = write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace capsem::cli
