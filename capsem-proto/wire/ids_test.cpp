#include "wire/ids.h"

#include <set>
#include <type_traits>

#include "base/testing/status_matchers.h"

namespace capsem {
namespace {

TEST_CASE("generated ids are legal, differ, and use every character") {
  std::set<std::string> ids;
  std::set<char> characters;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = SessionId::Generate().text();
    REQUIRE(VALUE_OF(SessionId::Parse(text)).text() == text);
    ids.insert(text);
    characters.insert(text.begin(), text.end());
  }
  REQUIRE(ids.size() == 1000);
  REQUIRE(characters.size() == 32);
}

TEST_CASE("ids of another form are refused") {
  const std::string bad = GENERATE(as<std::string>(), "", "abcdefghijk", "abcdefghijklm",
                                   "Abcdefghijkl", "abcdefghijk1", "abcdefghijk8", "abcdefghijk/",
                                   "../../../../", "abcdefghijk ", "abcdefghij\xc3\xa4");
  INFO(bad);
  REQUIRE_CODE(SessionId::Parse(bad), kInvalidArgument);
  REQUIRE_CODE(SessionId::Parse(std::string("abcdefghijk\0", 12)), kInvalidArgument);
}

TEST_CASE("legal names are kept as they are") {
  const std::string good = GENERATE(as<std::string>(), "a", "Z", "7", "a-b_c", "box--", "0_",
                                    "abcdefghijkl", std::string(64, 'n'));
  REQUIRE(VALUE_OF(SessionName::Parse(good)).text() == good);
}

TEST_CASE("illegal names are refused, with the rule as the remedy") {
  const std::string bad =
      GENERATE(std::string(), std::string(65, 'n'), std::string("-a"), std::string("_a"),
               std::string("../x"), std::string("a b"), std::string("a\0b", 3), std::string("a."),
               std::string("n\xc3\xa4me"), std::string("a\n"), std::string("a/b"));
  INFO(bad);
  const auto name = SessionName::Parse(bad);
  REQUIRE_CODE(name, kInvalidArgument);
  REQUIRE(Remedy(name.status()).find("1 to 64") != std::string::npos);
}

TEST_CASE("a name can never stand for an id") {
  STATIC_REQUIRE_FALSE(std::is_convertible_v<SessionName, SessionId>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<SessionId, SessionName>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<std::string, SessionId>);
}

}  // namespace
}  // namespace capsem
