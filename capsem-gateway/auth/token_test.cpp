#include "auth/token.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

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

TEST_CASE("a private file is its owner's from the start, and replaced as a whole") {
  const TempDir dir;
  const std::string path = dir / "token";
  std::ofstream(path) << "old and longer";
  std::ofstream(path + ".new") << "left by a crash";
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  REQUIRE_OK(WritePrivateFile(path, "new\n"));
  std::ifstream file(path);
  REQUIRE(std::string(std::istreambuf_iterator<char>(file), {}) == "new\n");
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0600);
  REQUIRE_FALSE(std::filesystem::exists(path + ".new"));
  REQUIRE_CODE(WritePrivateFile(dir / "no/where", "x"), kNotFound);
}

}  // namespace capsem::gateway
