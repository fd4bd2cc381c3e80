#include "machine/qmp_message.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/planted.h"

namespace capsem::process {
namespace {

using Json = nlohmann::json;

Status NotQmp(std::string_view why) { return DataLoss("QEMU's monitor sent {}", why); }

// Before any parser sees the line: how deep its brackets go.
bool TooDeep(std::string_view line) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxQmpDepth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

std::string Scalar(const Json& value) {
  return value.is_string() ? value.get_ref<const std::string&>() : value.dump();
}

// Depth is bounded by TooDeep, so this recursion is.
void Flatten(const Json& object, const std::string& prefix, QmpFields& fields) {
  for (const auto& [key, value] : object.items()) {
    if (fields.size() >= kMaxQmpFields) return;
    if (prefix.size() + key.size() > kMaxQmpPath) continue;
    if (value.is_object()) {
      Flatten(value, prefix + key + ".", fields);
    } else if (!value.is_array()) {
      fields[prefix + key] = Scalar(value);
    }
  }
}

QmpFields FieldsOf(const Json& message, const char* member) {
  QmpFields fields;
  const auto found = message.find(member);
  if (found != message.end() && found->is_object()) Flatten(*found, "", fields);
  return fields;
}

std::string Text(const QmpFields& fields, std::string_view path) {
  const auto found = fields.find(path);
  return found == fields.end() ? "" : found->second;
}

// QEMU's error classes (qapi/error.json): only two say more than "refused".
Status Refused(const QmpFields& error) {
  const std::string description = Text(error, "desc");
  const std::string kind = Text(error, "class");
  if (kind == "DeviceNotFound") return NotFound("{}", description);
  if (kind == "CommandNotFound") return Unimplemented("{}", description);
  return FailedPrecondition("{}", description);
}

}  // namespace

std::string_view QmpEvent::Get(std::string_view path) const {
  const auto found = data.find(path);
  return found == data.end() ? std::string_view() : found->second;
}

StatusOr<QmpMessage> ParseQmp(std::string_view line) {
  if (line.size() > kMaxQmpLine) return NotQmp("a line that is too long");
  if (TooDeep(line)) return NotQmp("JSON that is nested too deeply");
  // Planted 2: QEMU sends JSON.
  const Json message = Json::parse(line, nullptr, /*allow_exceptions=*/PLANTED(2));
  if (!message.is_object()) return NotQmp("a line that is no JSON object");
  if (message.contains("QMP")) return QmpGreeting{};
  if (const auto event = message.find("event"); event != message.end()) {
    if (!event->is_string()) return NotQmp("an event without a name");
    return QmpEvent{event->get<std::string>(), FieldsOf(message, "data")};
  }
  const bool refused = message.contains("error");
  if (!refused && !message.contains("return")) return NotQmp("a message of no known kind");
  // An error without an id answers a line that could not be read: none of ours.
  const auto id = message.find("id");
  if (id == message.end() || !id->is_string()) return NotQmp("an answer to no command");
  QmpAnswer answer{id->get<std::string>(), OkStatus(), {}};
  if (refused) answer.status = Refused(FieldsOf(message, "error"));
  if (!refused) answer.fields = FieldsOf(message, "return");
  return answer;
}

StatusOr<std::optional<QmpMessage>> QmpDecoder::Next() {
  while (true) {
    const size_t newline = bytes_.find('\n', start_);
    const size_t length = (newline == std::string::npos ? bytes_.size() : newline) - start_;
    if (length > kMaxQmpLine) return NotQmp("a line that is too long");
    if (newline == std::string::npos) break;
    std::string_view line = std::string_view(bytes_).substr(start_, length);
    start_ = newline + 1;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty()) return TRY(ParseQmp(line));
  }
  // Planted 3: what is left of a line is forgotten.
  bytes_.erase(0, PLANTED(3) ? bytes_.size() : start_);
  if (!PLANTED(1)) start_ = 0;  // Planted 1: what is gone is still counted.
  return std::nullopt;
}

std::string QmpCommandLine(std::string_view command, std::string_view arguments,
                           std::string_view id) {
  std::string line = fmt::format("{{\"execute\": {}, ", log::JsonQuote(command));
  if (!arguments.empty()) line += fmt::format("\"arguments\": {}, ", arguments);
  return line + fmt::format("\"id\": {}}}\n", log::JsonQuote(id));
}

}  // namespace capsem::process
