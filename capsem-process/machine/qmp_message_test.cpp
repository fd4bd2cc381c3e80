#include "machine/qmp_message.h"

#include "base/testing/status_matchers.h"

namespace capsem::process {
namespace {

template <typename T>
T Parsed(std::string_view line) {
  const QmpMessage message = VALUE_OF(ParseQmp(line));
  REQUIRE(std::holds_alternative<T>(message));
  return std::get<T>(message);
}

std::string Nested(size_t depth) {
  return R"({"event": "X", "data": )" + std::string(depth, '[') + std::string(depth, ']') + "}";
}

}  // namespace

TEST_CASE("each kind of QMP message is recognised") {
  Parsed<QmpGreeting>(R"({"QMP": {"version": {"qemu": {"micro": 22}}, "capabilities": ["oob"]}})");
  const auto answer = Parsed<QmpAnswer>(R"({"return": {}, "id": "7"})");
  REQUIRE(answer.id == "7");
  REQUIRE_OK(answer.status);
  const auto event = Parsed<QmpEvent>(
      R"({"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}})");
  REQUIRE(event.name == "SHUTDOWN");
  REQUIRE(event.Get("guest") == "true");
  REQUIRE(event.Get("reason") == "guest-reset");
  REQUIRE(event.Get("absent").empty());
}

TEST_CASE("nested members are found by their dotted path, arrays are left out") {
  const auto answer = Parsed<QmpAnswer>(
      R"({"return": {"a": {"b": {"c": 5}}, "list": [1, 2], "text": "x", "null": null}, "id": "1"})");
  REQUIRE(answer.fields == QmpFields{{"a.b.c", "5"}, {"text", "x"}, {"null", "null"}});
}

TEST_CASE("a refusal of QEMU is a status with its words") {
  struct Case {
    std::string_view kind;
    StatusCode code;
  };
  const Case cases[] = {{"GenericError", StatusCode::kFailedPrecondition},
                        {"DeviceNotFound", StatusCode::kNotFound},
                        {"CommandNotFound", StatusCode::kUnimplemented},
                        {"", StatusCode::kFailedPrecondition}};
  for (const Case& c : cases) {
    const auto answer = Parsed<QmpAnswer>(fmt::format(
        R"({{"error": {{"class": "{}", "desc": "no such thing"}}, "id": "3"}})", c.kind));
    REQUIRE(answer.status.code() == c.code);
    REQUIRE(Message(answer.status) == "no such thing");
  }
}

TEST_CASE("what is not QMP is refused") {
  const std::string lines[] = {
      "garbage",
      "42",
      "[]",
      "{}",
      R"({"return": {})",
      R"({"return": {}})",
      R"({"return": {}, "id": 7})",
      R"({"error": {"class": "GenericError", "desc": "JSON parse error"}})",
      R"({"event": 5})",
      "{\"event\": \"\xff\xfe\"}",
      Nested(kMaxQmpDepth),
      Nested(kMaxQmpLine / 4),
      std::string(kMaxQmpLine + 1, ' '),
  };
  for (const std::string& line : lines) {
    INFO(line.substr(0, 80));
    REQUIRE_CODE(ParseQmp(line), kDataLoss);
  }
  REQUIRE_OK(ParseQmp(Nested(kMaxQmpDepth - 1)));
  REQUIRE_OK(ParseQmp(R"({"event": "X", "data": {"a": "[[[[[[[[[[[[[[[[[[[[[[[\"[["}})"));
}

TEST_CASE("the number of members that are kept is bounded") {
  std::string line = R"({"event": "X", "data": {"first": 0)";
  for (size_t i = 0; i < 2 * kMaxQmpFields; ++i) line += fmt::format(", \"a{}\": 1", i);
  REQUIRE(Parsed<QmpEvent>(line + "}}").data.size() == kMaxQmpFields);
}

TEST_CASE("messages are the same however their bytes are cut") {
  const std::string bytes =
      "{\"QMP\": {}}\r\n\r\n{\"return\": {}, \"id\": \"1\"}\n{\"event\": \"STOP\"}\n{\"eve";
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    QmpDecoder decoder;
    std::string kinds;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      decoder.Append(std::string_view(bytes).substr(at, piece));
      for (auto message = VALUE_OF(decoder.Next()); message; message = VALUE_OF(decoder.Next())) {
        kinds += static_cast<char>('0' + message->index());
      }
    }
    REQUIRE(kinds == "012");
  }
}

TEST_CASE("a line without an end is refused at the bound") {
  QmpDecoder decoder;
  const std::string piece(4096, 'x');
  for (size_t fed = 0; fed < kMaxQmpLine; fed += piece.size()) {
    decoder.Append(piece);
    REQUIRE_OK(decoder.Next());
  }
  decoder.Append("x");
  REQUIRE_CODE(decoder.Next(), kDataLoss);
}

TEST_CASE("messages before a fault are still handed out") {
  QmpDecoder decoder;
  decoder.Append("{\"QMP\": {}}\ngarbage\n");
  REQUIRE(VALUE_OF(decoder.Next()).has_value());
  REQUIRE_CODE(decoder.Next(), kDataLoss);
}

TEST_CASE("a command is one line with its id, its text escaped") {
  REQUIRE(QmpCommandLine("cont", "", "1") == "{\"execute\": \"cont\", \"id\": \"1\"}\n");
  REQUIRE(QmpCommandLine("getfd", R"({"fdname": "x"})", "2") ==
          "{\"execute\": \"getfd\", \"arguments\": {\"fdname\": \"x\"}, \"id\": \"2\"}\n");
}

}  // namespace capsem::process
