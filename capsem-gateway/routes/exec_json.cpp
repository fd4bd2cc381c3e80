#include "routes/exec_json.h"

#include <absl/strings/escaping.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "routes/http_status.h"

namespace capsem::gateway {
namespace {

using Json = nlohmann::json;
using capsem::v1::ExecStart;

constexpr double kMaxSeconds = 7 * 24 * 3600;

Status Wrong(std::string_view key, std::string_view kind) {
  return InvalidArgument("\"{}\" must be {}", key, kind);
}

Status SetArgv(const Json& value, ExecStart& start) {
  if (!value.is_array() || value.empty()) return Wrong("argv", "a list of strings, not empty");
  for (const Json& word : value) {
    if (!word.is_string()) return Wrong("argv", "a list of strings, not empty");
    start.add_argv(word.get<std::string>());
  }
  return OkStatus();
}

Status SetEnv(const Json& value, ExecStart& start) {
  if (!value.is_object()) return Wrong("env", "an object of strings");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return Wrong("env", "an object of strings");
    auto* variable = start.add_env();
    variable->set_key(key);
    variable->set_value(text.get<std::string>());
  }
  return OkStatus();
}

Status SetTimeout(const Json& value, ExecStart& start) {
  const double seconds = value.is_number() ? value.get<double>() : -1;
  if (!(seconds > 0 && seconds <= kMaxSeconds)) {
    return Wrong("timeout_secs", "a number above 0, at most 604800");
  }
  start.set_timeout_ms(static_cast<uint32_t>(std::ceil(seconds * 1000)));
  return OkStatus();
}

Status SetField(const std::string& key, const Json& value, ExecQuestion& question) {
  ExecStart& start = *question.input.mutable_start();
  if (key == "argv") return SetArgv(value, start);
  if (key == "env") return SetEnv(value, start);
  if (key == "timeout_secs") return SetTimeout(value, start);
  if (key != "command" && key != "cwd" && key != "encoding") {
    return WithRemedy(InvalidArgument("the key \"{}\" is unknown", key),
                      "there are command, argv, timeout_secs, cwd, env and encoding");
  }
  if (!value.is_string()) return Wrong(key, "a string");
  const auto text = value.get<std::string>();
  if (key == "command") start.set_shell(text);
  if (key == "cwd") start.set_cwd(text);
  if (key != "encoding") return OkStatus();
  question.base64 = text == "base64";
  return question.base64 || text == "utf-8" ? OkStatus()
                                            : Wrong("encoding", "\"utf-8\" or \"base64\"");
}

// nlohmann takes the last of two equal keys; others take the first.
StatusOr<Json> ParseObject(const std::string& body) {
  std::vector<std::set<std::string>> keys;
  bool twice = false;
  const auto look = [&](int, Json::parse_event_t event, const Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      twice = !keys.back().insert(value.get<std::string>()).second || twice;
    }
    return true;
  };
  Json json = Json::parse(body, look, /*allow_exceptions=*/false);
  if (json.is_discarded()) return InvalidArgument("the body is no JSON");
  if (!json.is_object()) return InvalidArgument("the body is no JSON object");
  if (twice) return InvalidArgument("a key of the body comes twice");
  return json;
}

}  // namespace

StatusOr<ExecQuestion> ParseExec(const std::string& session, const std::string& body) {
  const Json json = TRY(ParseObject(body));
  ExecQuestion question;
  question.input.mutable_start()->set_session(session);
  for (const auto& [key, value] : json.items()) TRY(SetField(key, value, question));
  if (json.contains("command") == json.contains("argv")) {
    return InvalidArgument("the body must have \"command\" or \"argv\", and not both");
  }
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
