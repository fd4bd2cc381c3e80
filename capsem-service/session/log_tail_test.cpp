#include "session/log_tail.h"

#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::service {
namespace {

std::string ReadAll(LogTail& log) {
  std::string text;
  for (auto piece = VALUE_OF(log.Next()); !piece.bytes.empty(); piece = VALUE_OF(log.Next())) {
    REQUIRE(piece.bytes.size() <= LogTail::kPiece);
    text += piece.bytes;
  }
  return text;
}

// A log as its writer keeps it.
struct Log {
  TempDir dir;
  std::string path = dir / "log";

  void Write(const std::string& text) { std::ofstream(path, std::ios::app) << text; }
  void Turn() { REQUIRE(rename(path.c_str(), (path + ".1").c_str()) == 0); }
};

struct Followed {
  std::string text;
  uint64_t dropped = 0;
};

Followed Follow(LogTail& log) {
  Followed followed;
  for (;;) {
    const auto piece = VALUE_OF(log.NextOfGrowing());
    followed.dropped += piece.dropped;
    if (piece.bytes.empty()) return followed;
    followed.text += piece.bytes;
  }
}

}  // namespace

TEST_CASE("the last lines of a log are read, wherever they lie") {
  TempDir dir;
  std::ofstream(dir / "log.1") << "a\nb\nc\n";
  std::ofstream(dir / "log") << "d\ne";
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
    REQUIRE(ReadAll(*LogTail::Open(dir / "log", c.lines)) == c.expected);
  }
}

TEST_CASE("a line end at the very end ends the last line and begins none") {
  TempDir dir;
  std::ofstream(dir / "log") << "a\nb\n";
  REQUIRE(ReadAll(*LogTail::Open(dir / "log", 1)) == "b\n");
}

TEST_CASE("lines longer than a piece are whole") {
  TempDir dir;
  const std::string longest(3 * LogTail::kPiece + 5, 'x');
  std::ofstream(dir / "log") << "first\n" << longest << "\n";
  REQUIRE(ReadAll(*LogTail::Open(dir / "log", 1)) == longest + "\n");
  REQUIRE(ReadAll(*LogTail::Open(dir / "log", 0)) == "first\n" + longest + "\n");
}

TEST_CASE("a log that is not there is empty, and a symbolic link is none") {
  TempDir dir;
  REQUIRE(ReadAll(*LogTail::Open(dir / "nothing", 3)).empty());
  REQUIRE(symlink("/etc/passwd", (dir / "link").c_str()) == 0);
  REQUIRE(ReadAll(*LogTail::Open(dir / "link", 0)).empty());
}

TEST_CASE("what is written after its opening is not of the log, unless it is followed") {
  Log log;
  log.Write("a\n");
  const auto once = LogTail::Open(log.path, 0);
  const auto followed = LogTail::Open(log.path, 0);
  log.Write("b\n");
  REQUIRE(ReadAll(*once) == "a\n");
  REQUIRE(Follow(*followed).text == "a\nb\n");
  REQUIRE(Follow(*followed).text.empty());
  log.Write("c\n");
  REQUIRE(Follow(*followed).text == "c\n");
}

TEST_CASE("a log that is turned is followed without a gap") {
  Log log;
  log.Write("a\nb\n");
  const auto tail = LogTail::Open(log.path, 1);
  REQUIRE(Follow(*tail).text == "b\n");
  log.Write("c\n");
  log.Turn();
  REQUIRE(Follow(*tail).text == "c\n");
  log.Write("d\n");
  REQUIRE(Follow(*tail).text == "d\n");
  log.Write("e\n");
  log.Turn();
  log.Write("f\n");
  const Followed last = Follow(*tail);
  REQUIRE(last.text == "e\nf\n");
  REQUIRE(last.dropped == 0);
}

TEST_CASE("only the lines with a word are taken, whole, also over the ends of pieces and files") {
  Log log;
  const std::string other = std::string(LogTail::kPiece - 3, 'x') + "\n";
  log.Write("1 it\n" + other + "2 it\n");
  log.Turn();
  log.Write("nothing\n3 it\n" + std::string(LogTail::kPiece, 'y') + " it\n4 it\n5 i");
  struct Case {
    uint32_t lines;
    std::string expected;
  };
  const auto c = GENERATE(Case{0, "1 it\n2 it\n3 it\n4 it\n"}, Case{1, "4 it\n"},
                          Case{3, "2 it\n3 it\n4 it\n"}, Case{9, "1 it\n2 it\n3 it\n4 it\n"});
  REQUIRE(ReadAll(*LogTail::Open(log.path, c.lines, " it")) == c.expected);
  REQUIRE(ReadAll(*LogTail::Open(log.path, c.lines, "nowhere")).empty());
  const auto followed = LogTail::Open(log.path, c.lines, " it");
  REQUIRE(Follow(*followed).text == c.expected);
  log.Write("t\nmore\n6 it\n");
  REQUIRE(Follow(*followed).text == "5 it\n6 it\n");
}

TEST_CASE("what was gone before it could be read is counted") {
  Log log;
  log.Write("a\n");
  const auto tail = LogTail::Open(log.path, 0);
  log.Write("b\n");
  for (const char* lost : {"lost\n", "lost\n", "c\n"}) {
    log.Turn();
    log.Write(lost);
  }
  log.Turn();
  log.Write("d\n");
  const Followed followed = Follow(*tail);
  REQUIRE(followed.text == "a\nb\nc\nd\n");
  REQUIRE(followed.dropped > 0);
}

TEST_CASE("a log is followed from before it is there until after it is gone") {
  Log log;
  const auto tail = LogTail::Open(log.path, 5);
  REQUIRE(Follow(*tail).text.empty());
  log.Write("a\n");
  REQUIRE(Follow(*tail).text == "a\n");
  log.Write("b\n");
  REQUIRE(unlink(log.path.c_str()) == 0);
  const Followed rest = Follow(*tail);
  REQUIRE((rest.text == "b\n" && rest.dropped == 0));
}

}  // namespace capsem::service
