#include "routes/proto_json.h"

#include "base/testing/status_matchers.h"
#include "capsem/v1/execs.pb.h"

namespace capsem::gateway {
namespace {

using capsem::v1::ExecStart;

Status Read(const std::string& text, ExecStart& start) {
  return FromJson(TRY(ParseJsonObject(text)), start);
}

}  // namespace

TEST_CASE("a field is read under both of its names, and every kind of it") {
  ExecStart start;
  REQUIRE_OK(Read(R"({"timeoutMs":5,"when_full":"WHEN_FULL_DROP","uid":7,"argv":["a","\u00e9"],
      "env":[{"key":"K","value":"v"}],"pty":{"term":"xterm","size":{"rows":3}}})",
                  start));
  REQUIRE(start.timeout_ms() == 5);
  REQUIRE(start.when_full() == capsem::v1::WHEN_FULL_DROP);
  REQUIRE(start.uid() == 7);
  REQUIRE(start.argv(1) == "\u00e9");
  REQUIRE(start.env(0).key() == "K");
  REQUIRE(start.pty().size().rows() == 3);
}

TEST_CASE("what is no such message is named") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no JSON"},
      {"{'cwd':'/'}", "no JSON"},  // protobuf's parser would take these three
      {"{cwd:\"/\"}", "no JSON"},
      {R"({"cwd":"/",})", "no JSON"},
      {"{\"cwd\":\"\xff\"}", "no JSON"},
      {R"({"cwd":"\ud800"})", "no JSON"},
      {"[]", "no JSON object"},
      {std::string(100000, '['), "no JSON"},
      {R"({"argv":)" + std::string(100000, '[') + std::string(100000, ']') + "}", "deeper"},
      {R"({"cwd":"a","cwd":"b"})", "twice"},
      {R"({"timeoutMs":1,"timeout_ms":2})", "\"timeout_ms\" comes twice"},
      {R"({"pty":{"size":{"rows":1,"columns":2}}})", "\"columns\""},
      {R"({"env":[{"key":"a"},{"name":"b"}]})", "\"name\""},
      {R"({"Cwd":"/"})", "\"Cwd\""},
      {R"({"uid":-1})", "uid"},
      {R"({"uid":4294967296})", "uid"},
      {R"({"uid":1.5})", "uid"},
      {R"({"cwd":7})", "cwd"},
      {R"({"argv":"a"})", "\"argv\" must be a list"},
      {R"({"env":{"key":"a"}})", "\"env\" must be a list"},
      {R"({"cwd":["a","b"]})", "not a list"},
      {R"({"pty":[{"term":"a"}]})", "not a list"},
      {R"({"pty":true})", "pty"},
      {R"({"when_full":"SOMETIMES"})", "when_full"},
  };
  for (const auto& [text, named] : cases) {
    INFO(text.substr(0, 100));
    ExecStart start;
    const Status status = Read(text, start);
    INFO(status);
    REQUIRE(status.code() == StatusCode::kInvalidArgument);
    REQUIRE(std::string(Message(status)).find(named) != std::string::npos);
  }
}

TEST_CASE("an unknown key comes with those that are known") {
  ExecStart start;
  const Status status = Read(R"({"pty":{"width":1}})", start);
  REQUIRE(Remedy(status) == "there are size, term");
}

TEST_CASE("every field is said, by its name in the .proto file") {
  capsem::v1::ExecExit exit;
  exit.set_code(3);
  REQUIRE(VALUE_OF(ToJson(exit)) ==
          "{\"code\":3,\"signal\":0,\"timed_out\":false,\"error\":\"\",\"duration_us\":\"0\"}\n");
}

}  // namespace capsem::gateway
