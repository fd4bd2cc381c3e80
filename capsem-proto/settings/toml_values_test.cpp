#include "settings/toml_values.h"

#include "base/testing/status_matchers.h"

namespace capsem {
namespace {

std::string Text(const TomlValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value.value)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&value.value)) return *text;
  return std::string(std::get<TomlValue::Other>(value.value).kind);
}

}  // namespace

TEST_CASE("values come with their keys and lines, in the order of the file") {
  const auto values = VALUE_OF(ParseToml(
      "# a comment\nzeta = 0x10\n\n\"a b\" = 'text'\nyes = true\n[more]\nx = 1\n", "f.toml"));
  std::string all;
  for (const TomlValue& value : values)
    all += fmt::format("{} {}={}; ", value.line, value.key, Text(value));
  REQUIRE(all == "2 zeta=16; 4 a b=text; 5 yes=a boolean; 6 more=a table; ");
  REQUIRE(VALUE_OF(ParseToml("", "f.toml")).empty());
}

TEST_CASE("what is no key's kind is named") {
  struct Case {
    const char* text;
    const char* kind;
  };
  const auto c = GENERATE(Case{"k = 1.5", "a number with decimals"}, Case{"k = [1]", "an array"},
                          Case{"k = {a = 1}", "a table"}, Case{"[[k]]", "an array"},
                          Case{"k = 2024-01-01", "a date or a time"},
                          Case{"k = 07:00:00", "a date or a time"}, Case{"a.b = 1", "a table"});
  const auto values = VALUE_OF(ParseToml(c.text, "f.toml"));
  REQUIRE(values.size() == 1);
  REQUIRE(Text(values[0]) == c.kind);
}

TEST_CASE("what is no TOML is told with its file and line") {
  struct Case {
    std::string text;
    uint32_t line;
  };
  const auto c =
      GENERATE(Case{"a = 1\nb =\n", 2}, Case{"a = 1\na = 2\n", 2}, Case{"a", 1}, Case{"\n\n[a", 3},
               Case{"m\xef\xba\xba = 1\n", 1}, Case{"\ngr\xc3\xb6 = 1", 2}, Case{"a = \"x\n", 1},
               Case{"a = 99999999999999999999\n", 1}, Case{"a = " + std::string(5000, '['), 1});
  const Status refused = ParseToml(c.text, "f.toml").status();
  REQUIRE_CODE(refused, kInvalidArgument);
  INFO(Message(refused));
  REQUIRE(Message(refused).starts_with(fmt::format("f.toml:{}: ", c.line)));
}

TEST_CASE("what toml++ itself does not expect is an error, too") {
  const Status refused = ParseToml(GENERATE("[[[", "[=", "[[="), "f.toml").status();
  REQUIRE_CODE(refused, kInvalidArgument);
  REQUIRE(Message(refused).starts_with("f.toml:"));
}

TEST_CASE("comments may be in any language, values may not") {
  const auto values =
      VALUE_OF(ParseToml("\xef\xbb\xbf# gr\xc3\xbc\xc3\x9f\r\na = '\xc3\xbc'\r\n", "f"));
  REQUIRE(values.size() == 1);
  REQUIRE((values[0].line == 2 && Text(values[0]) == "??"));
}

}  // namespace capsem
