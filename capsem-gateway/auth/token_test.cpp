#include "auth/token.h"

#include <vector>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {

TEST_CASE("a token is 64 letters and digits, and another one each time") {
  const Token token = VALUE_OF(Token::Generate());
  REQUIRE(token.text().size() == Token::kChars);
  REQUIRE(token.text().find_first_not_of("0123456789abcdef") == std::string::npos);
  REQUIRE(VALUE_OF(Token::Generate()).text() != token.text());
}

TEST_CASE("only the token itself is admitted, in the one form there is") {
  const Token token = VALUE_OF(Token::Generate());
  const std::string& text = token.text();
  REQUIRE(token.Admits("Bearer " + text));
  std::string last = text;
  last.back() = last.back() == '0' ? '1' : '0';
  std::string first = text;
  first.front() = first.front() == '0' ? '1' : '0';
  const std::vector<std::string> wrong = {
      "",
      "Bearer",
      "Bearer ",
      text,
      "Bearer" + text,
      "bearer " + text,
      "BEARER " + text,
      "Basic " + text,
      "Bearer\t" + text,
      "Bearer  " + text,
      " Bearer " + text,
      "Bearer " + text + " ",
      "Bearer " + text + text,
      "Bearer " + text.substr(1),
      "Bearer " + text.substr(0, text.size() - 1),
      "Bearer " + text.substr(0, text.size() - 1) + "\xc3\xa9",
      "Bearer " + last,
      "Bearer " + first,
      "Bearer " + VALUE_OF(Token::Generate()).text(),
  };
  for (const std::string& authorization : wrong) {
    INFO(authorization);
    REQUIRE_FALSE(token.Admits(authorization));
  }
}

}  // namespace capsem::gateway
