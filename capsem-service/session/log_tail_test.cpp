#include "session/log_tail.h"

#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::service {
namespace {

std::string ReadAll(LogTail& log) {
  std::string text;
  for (std::string piece = VALUE_OF(log.Next()); !piece.empty(); piece = VALUE_OF(log.Next())) {
    REQUIRE(piece.size() <= LogTail::kPiece);
    text += piece;
  }
  return text;
}

}  // namespace

TEST_CASE("the last lines of a log are read, wherever they lie") {
  TempDir dir;
  std::ofstream(dir / "old") << "a\nb\nc\n";
  std::ofstream(dir / "new") << "d\ne";
  struct Case {
    uint32_t lines;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {0, "a\nb\nc\nd\ne"},  {1, "e"},          {2, "d\ne"},
      {3, "c\nd\ne"},        {4, "b\nc\nd\ne"}, {5, "a\nb\nc\nd\ne"},
      {99, "a\nb\nc\nd\ne"},
  };
  for (const Case& c : cases) {
    INFO(c.lines);
    REQUIRE(ReadAll(*LogTail::Open({dir / "old", dir / "new"}, c.lines)) == c.expected);
  }
}

TEST_CASE("a line end at the very end ends the last line and begins none") {
  TempDir dir;
  std::ofstream(dir / "log") << "a\nb\n";
  REQUIRE(ReadAll(*LogTail::Open({dir / "log"}, 1)) == "b\n");
}

TEST_CASE("lines longer than a piece are whole") {
  TempDir dir;
  const std::string longest(3 * LogTail::kPiece + 5, 'x');
  std::ofstream(dir / "log") << "first\n" << longest << "\n";
  REQUIRE(ReadAll(*LogTail::Open({dir / "log"}, 1)) == longest + "\n");
  REQUIRE(ReadAll(*LogTail::Open({dir / "log"}, 0)) == "first\n" + longest + "\n");
}

TEST_CASE("a log that is not there is empty, and a symbolic link is none") {
  TempDir dir;
  REQUIRE(ReadAll(*LogTail::Open({dir / "nothing"}, 3)).empty());
  REQUIRE(symlink("/etc/passwd", (dir / "link").c_str()) == 0);
  REQUIRE(ReadAll(*LogTail::Open({dir / "link"}, 0)).empty());
}

}  // namespace capsem::service
