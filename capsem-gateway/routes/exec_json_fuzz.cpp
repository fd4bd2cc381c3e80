// Fuzz target (meson -Dfuzz=true): bytes as the body of POST /exec, and as what its command prints.
// What is understood can be done over HTTP, and, said as JSON again, is understood the same; an
// answer is JSON, and base64 loses nothing.
#include "routes/exec_json.h"

#include <absl/strings/escaping.h>

#include <nlohmann/json.hpp>

#include "base/status.h"
#include "routes/proto_json.h"

using namespace capsem::gateway;
using capsem::v1::ExecEvent;
using capsem::v1::ExecStart;

namespace {

void CheckStart(const ExecStart& start) {
  ENSURE(start.session() == "box" && !start.detach());
  ENSURE(start.on_disconnect() != capsem::v1::ON_DISCONNECT_KEEP);
  ENSURE(start.shell().empty() != (start.argv_size() == 0));
}

void CheckStdin(const ExecQuestion& question) {
  const bool open = question.inputs[0].start().stdin_open();
  ENSURE(open == (question.inputs.size() > 1));
  for (size_t i = 1; i < question.inputs.size(); ++i) {
    const bool last = i + 1 == question.inputs.size();
    ENSURE(last ? question.inputs[i].stdin_eof() : !question.inputs[i].stdin().empty());
  }
}

// What the body says, read by somebody who knows no message.
void CheckBody(const std::string& body, const ExecStart& start) {
  const auto json = nlohmann::json::parse(body);
  if (json.contains("argv") && !json["argv"].is_null()) {
    ENSURE(json["argv"].is_array() && json["argv"].size() == size_t(start.argv_size()));
  }
  if (json.contains("command")) ENSURE(json["command"] == start.shell());
  if (!json.contains("timeout_secs")) return;
  const double seconds = json["timeout_secs"].get<double>();
  ENSURE(start.timeout_ms() >= seconds * 1000 && start.timeout_ms() <= 604800000);
}

void CheckSame(ExecStart start) {
  start.clear_session();
  start.clear_stdin_open();
  const auto again = ParseExec("box", *ToJson(start));
  ENSURE(again.ok());
  ExecStart read = again->inputs[0].start();
  read.clear_session();
  ENSURE(read.SerializeAsString() == start.SerializeAsString());
}

void CheckQuestion(const std::string& body) {
  const auto question = ParseExec("box", body);
  if (!question.ok()) {
    ENSURE(absl::IsInvalidArgument(question.status()));
    return;
  }
  const ExecStart& start = question->inputs[0].start();
  CheckStart(start);
  CheckStdin(*question);
  CheckBody(body, start);
  CheckSame(start);
}

void CheckAnswer(const std::string& printed, bool base64) {
  ExecAnswer answer(base64);
  ExecEvent event;
  event.mutable_started()->set_session("box");
  ENSURE(answer.Add(event));
  event.set_stdout(printed.substr(0, printed.size() / 2));
  ENSURE(answer.Add(event));
  event.set_stderr(printed.substr(printed.size() / 2));
  ENSURE(answer.Add(event));
  ENSURE(answer.Finish(capsem::OkStatus()).status == 503);
  event.mutable_exit()->set_code(static_cast<uint8_t>(printed.size()));
  ENSURE(answer.Add(event));
  ENSURE(answer.Finish(capsem::NotFound("no box")).status == 404);
  const HttpResponse response = answer.Finish(capsem::OkStatus());
  const auto json = nlohmann::json::parse(response.body);
  ENSURE(response.status == 200 && json["exit_code"] == static_cast<uint8_t>(printed.size()));
  std::string out, err;
  if (!base64) return;
  ENSURE(absl::Base64Unescape(json["stdout"].get<std::string>(), &out));
  ENSURE(absl::Base64Unescape(json["stderr"].get<std::string>(), &err));
  ENSURE(out + err == printed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  CheckQuestion(bytes);
  CheckAnswer(bytes, size % 2 == 0);
  return 0;
}
