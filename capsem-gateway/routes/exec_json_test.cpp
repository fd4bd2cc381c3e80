#include "routes/exec_json.h"

#include <nlohmann/json.hpp>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {
namespace {

using capsem::v1::ExecEvent;

ExecEvent Stdout(const std::string& bytes) {
  ExecEvent event;
  event.set_stdout(bytes);
  return event;
}
ExecEvent Stderr(const std::string& bytes) {
  ExecEvent event;
  event.set_stderr(bytes);
  return event;
}
ExecEvent Exit(uint32_t code) {
  ExecEvent event;
  event.mutable_exit()->set_code(code);
  event.mutable_exit()->set_duration_us(7);
  return event;
}
nlohmann::json Body(const HttpResponse& response) { return nlohmann::json::parse(response.body); }

}  // namespace

TEST_CASE("a body becomes the start of a command") {
  const auto shell = VALUE_OF(ParseExec("box", R"({"command":"a | b"})")).inputs;
  REQUIRE(shell.size() == 1);
  REQUIRE(shell[0].start().session() == "box");
  REQUIRE(shell[0].start().shell() == "a | b");
  REQUIRE(shell[0].start().argv_size() == 0);
  REQUIRE(shell[0].start().timeout_ms() == 0);
  REQUIRE_FALSE(shell[0].start().stdin_open());
  const auto whole = VALUE_OF(ParseExec("box", R"({"argv":["a","b c"],"timeout_secs":1.5,
      "cwd":"/tmp","env":{"K":"v"},"encoding":"base64"})"));
  const auto& start = whole.inputs[0].start();
  REQUIRE(whole.base64);
  REQUIRE(start.argv_size() == 2);
  REQUIRE(start.argv(1) == "b c");
  REQUIRE(start.timeout_ms() == 1500);
  REQUIRE(start.cwd() == "/tmp");
  REQUIRE(start.env(0).key() == "K");
  REQUIRE(start.env(0).value() == "v");
}

TEST_CASE("every field of a command can be said, by its name in the .proto file") {
  const auto start = VALUE_OF(ParseExec("box", R"({"shell":"a","uid":7,"timeoutMs":3,
      "pty":{"term":"vt100"},"whenFull":"WHEN_FULL_DROP","onDisconnect":"ON_DISCONNECT_KILL",
      "env":[{"key":"K","value":"v"}]})"))
                         .inputs[0]
                         .start();
  REQUIRE(start.uid() == 7);
  REQUIRE(start.timeout_ms() == 3);
  REQUIRE(start.pty().term() == "vt100");
  REQUIRE(start.when_full() == capsem::v1::WHEN_FULL_DROP);
  REQUIRE(start.env(0).key() == "K");
}

TEST_CASE("stdin follows in pieces, and its end") {
  const std::string text(256 * 1024 + 1, 'x');
  const auto inputs =
      VALUE_OF(ParseExec("box", R"({"command":"cat","stdin":")" + text + "\"}")).inputs;
  REQUIRE(inputs.size() == 4);
  REQUIRE(inputs[0].start().stdin_open());
  REQUIRE(inputs[1].stdin() + inputs[2].stdin() == text);
  REQUIRE(inputs[2].stdin().size() == 1);
  REQUIRE(inputs[3].stdin_eof());
  const auto bytes = VALUE_OF(
      ParseExec("box", R"({"command":"cat","stdin":"/wBh","encoding":"base64","stdinOpen":true})"));
  REQUIRE(bytes.inputs[1].stdin() == std::string("\xff\0a", 3));
  const auto none = VALUE_OF(ParseExec("box", R"({"command":"cat","stdin":""})")).inputs;
  REQUIRE(none.size() == 2);
  REQUIRE(none[1].stdin_eof());
}

TEST_CASE("what one request cannot mean is refused with what helps") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("session":"box")", "the path names the session"},
      {R"("detach":true)", "capsem exec -d"},
      {R"("onDisconnect":"ON_DISCONNECT_KEEP")", "capsem exec -d"},
      {R"("stdin_open":true)", "as \"stdin\""},
      {R"("shell":"b")", "send one of them"},
      {R"("timeout_secs":1,"timeoutMs":2)", "send one of them"},
      {R"("x":1)", "there are command, "},
  };
  for (const auto& [more, helps] : cases) {
    INFO(more);
    const Status status = ParseExec("box", R"({"command":"a",)" + more + "}").status();
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    REQUIRE(std::string(Remedy(status)).find(helps) != std::string::npos);
  }
}

TEST_CASE("what is no such body is named") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no JSON"},
      {"{", "no JSON"},
      {"\"a\"", "no JSON object"},
      {"[]", "no JSON object"},
      {"{\"command\":\"\xff\"}", "no JSON"},
      {std::string(100000, '['), "no JSON"},
      {"{}", "command"},
      {R"({"command":"a","argv":["b"]})", "not both"},
      {R"({"command":"a","command":"b"})", "twice"},
      {R"({"command":1})", "\"command\""},
      {R"({"command":null})", "\"command\""},
      {R"({"argv":"a"})", "argv"},
      {R"({"argv":[]})", "\"argv\""},
      {R"({"argv":["a",1]})", "argv[1]"},
      {R"({"command":"a","timeout_secs":"1"})", "timeout_secs"},
      {R"({"command":"a","timeout_secs":0})", "timeout_secs"},
      {R"({"command":"a","timeout_secs":-1})", "timeout_secs"},
      {R"({"command":"a","timeout_secs":1e300})", "timeout_secs"},
      {R"({"command":"a","cwd":7})", "cwd"},
      {R"({"command":"a","env":["K=v"]})", "env"},
      {R"({"command":"a","env":{"K":1}})", "\"env\""},
      {R"({"command":"a","encoding":"latin-1"})", "\"encoding\""},
      {R"({"command":"a","shell":"b"})", "\"shell\""},
      {R"({"command":"a","encoding":7})", "\"encoding\""},
      {R"({"command":"a","stdin":7})", "\"stdin\""},
      {R"({"command":"a","stdin":"%","encoding":"base64"})", "\"stdin\""},
      {R"({"shell":"","argv":[]})", "not both"},
      {R"({"command":"a","x":1})", "\"x\""},
  };
  for (const auto& [body, named] : cases) {
    INFO(body.substr(0, 100));
    const Status status = ParseExec("box", body).status();
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    REQUIRE(std::string(Message(status)).find(named) != std::string::npos);
  }
}

TEST_CASE("the answer has both outputs apart and how the command ended") {
  ExecAnswer answer(false);
  REQUIRE(answer.Add(Stdout("a")));
  REQUIRE(answer.Add(Stderr("b")));
  REQUIRE(answer.Add(Stdout("c\xff")));
  REQUIRE(answer.Add(Exit(3)));
  const HttpResponse response = answer.Finish(OkStatus());
  REQUIRE(response.status == 200);
  REQUIRE(Body(response)["stdout"] == "ac\uFFFD");
  REQUIRE(Body(response)["stderr"] == "b");
  REQUIRE(Body(response)["exit_code"] == 3);
  REQUIRE(Body(response)["duration_us"] == 7);
}

TEST_CASE("bytes that are no text come whole in base64") {
  ExecAnswer answer(true);
  answer.Add(Stdout(std::string("\xff\0a", 3)));
  answer.Add(Exit(0));
  REQUIRE(Body(answer.Finish(OkStatus()))["stdout"] == "/wBh");
}

TEST_CASE("output up to the limit is taken, one byte more is told") {
  ExecAnswer answer(false);
  REQUIRE(answer.Add(Stdout(std::string(kMaxOutput - 1, 'x'))));
  REQUIRE(answer.Add(Stderr("y")));
  answer.Add(Exit(0));
  REQUIRE(answer.Finish(OkStatus()).status == 200);
  REQUIRE_FALSE(answer.Add(Stdout("z")));
  const HttpResponse response = answer.Finish(OkStatus());
  REQUIRE(response.status == 507);
  REQUIRE(response.body.find("10485760 bytes") != std::string::npos);
}

TEST_CASE("a stream that ends without the exit is an error") {
  REQUIRE(ExecAnswer(false).Finish(NotFound("no box")).status == 404);
  REQUIRE(ExecAnswer(false).Finish(OkStatus()).status == 503);
}

}  // namespace capsem::gateway
