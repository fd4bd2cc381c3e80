#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
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

// In a process of its own, for its stdout and stderr become the file.
void KeepInAndSay(const std::string& path, size_t max_bytes, int lines, int threads) {
  const pid_t child = fork();
  if (child == 0) {
    if (!log::KeepIn(path, max_bytes).ok()) _exit(1);
    std::vector<std::thread> sayers;
    for (int thread = 0; thread < threads; ++thread) {
      sayers.emplace_back([lines] {
        for (int i = 0; i < lines; ++i) log::Info("a line", {{"number", i}});
      });
    }
    for (std::thread& sayer : sayers) sayer.join();
    if (write(STDOUT_FILENO, "stdout, too\n", 12) != 12) _exit(1);
    _exit(0);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
}

std::vector<std::string> LinesOf(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

constexpr size_t kMaxLine = 200;

TEST_CASE("a log in a file is the newest lines in two bounded files, for their owner only") {
  TempDir dir;
  const std::string path = dir / "the.log";
  KeepInAndSay(path, 2000, 300, 1);
  const auto newer = LinesOf(path);
  const auto older = LinesOf(path + ".1");
  REQUIRE(newer.back() == "stdout, too");
  REQUIRE(Contains(newer[newer.size() - 2], R"("number":"299")"));
  REQUIRE(Contains(older.back(), fmt::format(R"("number":"{}")", 300 - newer.size())));
  for (const std::string& file : {path, path + ".1"}) {
    struct stat info {};
    REQUIRE(stat(file.c_str(), &info) == 0);
    REQUIRE((info.st_mode & 0777) == 0600);
    REQUIRE(static_cast<size_t>(info.st_size) <= 2000 + kMaxLine);
  }
}

TEST_CASE("a log that is full when its program starts is turned by the first line") {
  TempDir dir;
  const std::string path = dir / "the.log";
  std::ofstream(path) << std::string(3000, 'x') << "\n";
  KeepInAndSay(path, 2000, 1, 1);
  REQUIRE(LinesOf(path).size() == 2);
  REQUIRE(LinesOf(path + ".1") == std::vector<std::string>{std::string(3000, 'x')});
}

TEST_CASE("lines of several threads stay whole where the log turns") {
  TempDir dir;
  const std::string path = dir / "the.log";
  KeepInAndSay(path, 5000, 200, 4);
  auto lines = LinesOf(path);
  lines.pop_back();
  for (const std::string& line : LinesOf(path + ".1")) lines.push_back(line);
  REQUIRE(std::ranges::all_of(lines, [](const std::string& line) {
    return line.front() == '{' && line.back() == '}' && line.find('{', 1) == std::string::npos;
  }));
}

TEST_CASE("a log that cannot be turned stays bounded all the same") {
  TempDir dir;
  const std::string path = dir / "the.log";
  std::filesystem::create_directories(path + ".1/full");
  KeepInAndSay(path, 2000, 300, 1);
  REQUIRE(std::filesystem::file_size(path) <= 2000 + kMaxLine);
  REQUIRE_CODE(log::KeepIn(dir / "nowhere/the.log", 2000), kNotFound);
}

}  // namespace
}  // namespace capsem
