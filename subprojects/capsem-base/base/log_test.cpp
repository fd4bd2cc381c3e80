#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/unique_fd.h"

namespace capsem {
namespace {

// What is written to stderr while it lives, up to what a pipe holds.
class Captured {
 public:
  Captured() {
    int fds[2];
    ENSURE(pipe2(fds, O_CLOEXEC) == 0);
    read_.Reset(fds[0]);
    saved_.Reset(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    ENSURE(dup2(fds[1], STDERR_FILENO) == STDERR_FILENO);
    close(fds[1]);
  }
  ~Captured() { Restore(); }
  std::vector<std::string> Lines() {
    Restore();
    std::string text;
    char chunk[4096];
    for (ssize_t count; (count = read(read_.get(), chunk, sizeof chunk)) > 0;) {
      text.append(chunk, static_cast<size_t>(count));
    }
    std::vector<std::string> lines;
    for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      lines.push_back(text.substr(0, end));
    }
    REQUIRE(text.empty());
    return lines;
  }

 private:
  void Restore() {
    if (saved_.valid()) dup2(saved_.get(), STDERR_FILENO);
    saved_.Reset();
  }
  UniqueFd read_, saved_;
};

bool Contains(const std::string& line, std::string_view part) {
  return line.find(part) != std::string::npos;
}

TEST_CASE("text is quoted so that a line stays a line of JSON") {
  struct Case {
    std::string text, quoted;
  };
  const auto c =
      GENERATE(Case{"plain", R"("plain")"}, Case{"", R"("")"}, Case{"a\"b\\c", R"("a\"b\\c")"},
               Case{"two\nlines\t", R"("two\nlines\u0009")"},
               Case{std::string("nul\0", 4), R"("nul\u0000")"}, Case{"\x1b[31m", R"("\u001b[31m")"},
               Case{"\x7f", R"("\u007f")"}, Case{"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
               Case{"\xf0\x9f\x90\xa7", "\"\xf0\x9f\x90\xa7\""},
               Case{"\xc2\x9b", R"("\u009b")"},                           // a terminal's CSI in one
               Case{"\xff", R"("\ufffd")"}, Case{"\xc3", R"("\ufffd")"},  // alone
               Case{"\xc0\xaf", R"("\ufffd\ufffd")"},                     // overlong
               Case{"\xed\xa0\x80", R"("\ufffd\ufffd\ufffd")"},           // a surrogate
               Case{"\xf4\x90\x80\x80", R"("\ufffd\ufffd\ufffd\ufffd")"});  // beyond Unicode
  REQUIRE(log::JsonQuote(c.text) == c.quoted);
}

TEST_CASE("a line has its time, level, component, session and fields") {
  log::Configure("tester", "abcdefghijkl");
  Captured captured;
  log::Warning("it is \"so\"", {{"pid", 12}, {"name", "x\ny"}});
  const auto lines = captured.Lines();
  log::Configure("tester", "");
  REQUIRE(lines.size() == 1);
  REQUIRE(lines[0].substr(0, 11) == R"({"time":"20)");
  REQUIRE(Contains(lines[0],
                   R"(Z","level":"warning","component":"tester","session":"abcdefghijkl",)"
                   R"("message":"it is \"so\"","pid":"12","name":"x\ny"})"));
}

TEST_CASE("what is below the level is not written") {
  struct Case {
    log::Level level;
    size_t lines;
  };
  const auto c = GENERATE(Case{log::Level::kDebug, 4}, Case{log::Level::kInfo, 3},
                          Case{log::Level::kWarning, 2}, Case{log::Level::kError, 1});
  log::SetLevel(c.level);
  Captured captured;
  log::Debug("d");
  log::Info("i");
  log::Warning("w");
  log::Error("e");
  const auto lines = captured.Lines();
  log::SetLevel(log::Level::kInfo);
  REQUIRE(lines.size() == c.lines);
  REQUIRE(Contains(lines.back(), R"("level":"error")"));
}

TEST_CASE("lines of several threads do not mix") {
  Captured captured;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) log::Info("a message of some length", {{"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto lines = captured.Lines();
  REQUIRE(lines.size() == 200);
  REQUIRE(std::all_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.front() == '{' && line.back() == '}' && line.find('{', 1) == std::string::npos;
  }));
}

}  // namespace
}  // namespace capsem
