#include "routes/exec_json.h"

#include <absl/strings/escaping.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/planted.h"
#include "routes/http_status.h"
#include "routes/proto_json.h"

namespace capsem::gateway {
namespace {

using Json = nlohmann::json;
using capsem::v1::ExecInput;
using capsem::v1::ExecStart;

constexpr std::string_view kOwnKeys = "command, timeout_secs, stdin, encoding";
constexpr double kMaxSeconds = 7 * 24 * 3600;
constexpr size_t kMaxStdin = 256 * 1024;  // in one ExecInput (execs.proto)

Status Wrong(std::string_view key, std::string_view kind) {
  return InvalidArgument("\"{}\" must be {}", key, kind);
}

// `key` leaves the body; what it says goes in under the name that the .proto file has for it.
Status Rename(Json& body, const char* key, std::initializer_list<const char*> names, Json value) {
  for (const char* name : names) {
    if (!body.contains(name)) continue;
    return WithRemedy(InvalidArgument("\"{}\" and \"{}\" say the same", key, name),
                      "send one of them");
  }
  body.erase(key);
  body[*names.begin()] = std::move(value);
  return OkStatus();
}

Status TakeCommand(Json& body) {
  if (!body.contains("command")) return OkStatus();
  if (!body["command"].is_string()) return Wrong("command", "a string");
  return Rename(body, "command", {"shell"}, body["command"].get<std::string>());
}

Status TakeTimeout(Json& body) {
  if (!body.contains("timeout_secs")) return OkStatus();
  const Json& value = body["timeout_secs"];
  const double seconds = value.is_number() ? value.get<double>() : -1;
  if (!(seconds > 0 && seconds <= kMaxSeconds)) {
    return Wrong("timeout_secs", "a number above 0, at most 604800");
  }
  return Rename(body, "timeout_secs", {"timeout_ms", "timeoutMs"},
                static_cast<uint32_t>(std::ceil(seconds * 1000)));
}

Status TakeEnv(Json& body) {
  if (!body.contains("env") || !body["env"].is_object()) return OkStatus();
  Json list = Json::array();
  for (const auto& [key, value] : body["env"].items()) {
    if (!value.is_string()) return Wrong("env", "an object of strings, or a list");
    list.push_back({{"key", key}, {"value", value}});
  }
  body["env"] = std::move(list);
  return OkStatus();
}

Status TakeEncoding(Json& body, bool& base64) {
  const Json value = body.value("encoding", Json("utf-8"));
  if (value != "utf-8" && value != "base64") return Wrong("encoding", "\"utf-8\" or \"base64\"");
  body.erase("encoding");
  base64 = value == "base64";
  return OkStatus();
}

// nullopt: there is none.
StatusOr<std::optional<std::string>> TakeStdin(Json& body, bool base64) {
  if (!body.contains("stdin")) return std::nullopt;
  if (!body["stdin"].is_string()) return Wrong("stdin", "a string");
  auto bytes = body["stdin"].get<std::string>();
  body.erase("stdin");
  if (std::string raw; base64) {
    if (!absl::Base64Unescape(bytes, &raw)) return Wrong("stdin", "base64, as \"encoding\" says");
    bytes = std::move(raw);
  }
  return bytes;
}

// What cannot be meant by one request that waits for one answer.
Status CheckOverHttp(const ExecStart& start, bool has_stdin) {
  if (!start.session().empty()) {
    return WithRemedy(InvalidArgument("\"session\" is in the body"),
                      "leave it out: the path names the session");
  }
  if (start.detach() || start.on_disconnect() == capsem::v1::ON_DISCONNECT_KEEP) {
    return WithRemedy(
        InvalidArgument("\"{}\" asks for a command that goes on alone: no request reads it later",
                        start.detach() ? "detach" : "on_disconnect"),
        "use `capsem exec -d`, or leave it out");
  }
  if (start.stdin_open() && !has_stdin) {
    return WithRemedy(InvalidArgument("\"stdin_open\" without \"stdin\": nothing would be read"),
                      "send what the command reads as \"stdin\"");
  }
  // Planted 1: there is a command.
  if (start.shell().empty() == (start.argv_size() == 0) && !PLANTED(1)) {
    return InvalidArgument("the body must have \"command\" or \"argv\", and not both");
  }
  return OkStatus();
}

void AddStdin(const std::string& bytes, std::vector<ExecInput>& inputs) {
  for (size_t at = 0; at < bytes.size(); at += kMaxStdin) {
    inputs.emplace_back().set_stdin(bytes.substr(at, kMaxStdin));
  }
  inputs.emplace_back().set_stdin_eof(true);
}

}  // namespace

StatusOr<ExecQuestion> ParseExec(const std::string& session, const std::string& body) {
  Json json = TRY(ParseJsonObject(body));
  ExecQuestion question;
  TRY(TakeEncoding(json, question.base64));
  const auto bytes = TRY(TakeStdin(json, question.base64));
  TRY(TakeCommand(json));
  TRY(TakeTimeout(json));
  TRY(TakeEnv(json));
  ExecStart& start = *question.inputs.emplace_back().mutable_start();
  TRY(FromJson(json, start, kOwnKeys));
  TRY(CheckOverHttp(start, bytes.has_value()));
  start.set_session(session);
  start.set_stdin_open(bytes.has_value());
  if (bytes) AddStdin(*bytes, question.inputs);
  return question;
}

bool ExecAnswer::Add(const capsem::v1::ExecEvent& event) {
  if (event.has_started()) started_ = event.started();
  if (event.has_exit()) exit_ = event.exit();
  const size_t now = stdout_.size() + stderr_.size();
  if (event.stdout().size() + event.stderr().size() > kMaxOutput - now) too_much_ = true;
  if (too_much_) return false;
  stdout_ += event.stdout();
  stderr_ += event.stderr();
  return true;
}

std::string ExecAnswer::Text(const std::string& bytes) const {
  return base64_ ? absl::Base64Escape(bytes) : bytes;
}

HttpResponse ExecAnswer::Finish(const Status& status) const {
  if (too_much_) {
    return ErrorResponse(
        507, fmt::format("the command was ended: it printed more than {} bytes", kMaxOutput),
        "send its output to a file in the machine, or use `capsem exec`, which has no limit");
  }
  if (!status.ok()) return ResponseOf(status);
  if (!exit_) return ResponseOf(Unavailable("the command's end was not heard"));
  nlohmann::ordered_json json;
  json["exit_code"] = exit_->code();
  json["stdout"] = Text(stdout_);
  json["stderr"] = Text(stderr_);
  json["signal"] = exit_->signal();
  json["timed_out"] = exit_->timed_out();
  json["error"] = exit_->error();
  json["duration_us"] = exit_->duration_us();
  json["session"] = started_.session();
  json["exec"] = started_.exec();
  HttpResponse response;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return response;
}

}  // namespace capsem::gateway
