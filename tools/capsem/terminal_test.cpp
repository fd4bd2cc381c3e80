#include "terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "base/testing/status_matchers.h"
#include "base/unique_fd.h"

namespace capsem::cli {
namespace {

// A terminal of our own: what it is set to can be seen at either end.
struct Pty {
  Pty() : master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    REQUIRE(unlockpt(master.get()) == 0);
    peer.Reset(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(peer.valid());
  }
  bool cooked() const {
    termios now{};
    REQUIRE(tcgetattr(peer.get(), &now) == 0);
    return (now.c_lflag & ICANON) != 0 && (now.c_oflag & OPOST) != 0;
  }
  UniqueFd master, peer;
};

}  // namespace

TEST_CASE("a raw terminal has its own ways again afterwards") {
  const Pty pty;
  REQUIRE(pty.cooked());
  {
    const auto raw = VALUE_OF(RawTerminal::Create(pty.peer.get()));
    REQUIRE_FALSE(pty.cooked());
  }
  REQUIRE(pty.cooked());
}

TEST_CASE("a terminal has its own ways again when a signal ends the program") {
  const int deadly = GENERATE(SIGTERM, SIGHUP, SIGQUIT, SIGSEGV);
  const Pty pty;
  const pid_t child = fork();
  if (child == 0) {
    const auto raw = RawTerminal::Create(pty.peer.get());
    raise(deadly);
    _exit(raw.ok() ? 1 : 2);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == deadly);
  REQUIRE(pty.cooked());
}

TEST_CASE("a stopped program leaves the terminal as it was, and takes it again") {
  const Pty pty;
  const pid_t child = fork();
  if (child == 0) {
    const auto raw = RawTerminal::Create(pty.peer.get());
    raise(SIGTSTP);
    (*raw)->Enter();
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, WUNTRACED) == child);
  REQUIRE(WIFSTOPPED(status));
  REQUIRE(pty.cooked());
  kill(child, SIGCONT);
  REQUIRE(waitpid(child, &status, WUNTRACED) == child);
  REQUIRE(WIFSTOPPED(status));
  REQUIRE_FALSE(pty.cooked());
  kill(child, SIGCONT);
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
}

TEST_CASE("what is no terminal cannot be raw") {
  const UniqueFd file(open("/dev/null", O_RDWR | O_CLOEXEC));
  REQUIRE_FALSE(RawTerminal::Create(file.get()).ok());
}

TEST_CASE("a name that the API does not take is none") {
  const std::string kept = getenv("TERM") == nullptr ? "" : getenv("TERM");
  setenv("TERM", "xterm-256color", 1);
  CHECK(OwnTerminalName() == "xterm-256color");
  setenv("TERM", "a b", 1);
  CHECK(OwnTerminalName().empty());
  setenv("TERM", std::string(65, 'x').c_str(), 1);
  CHECK(OwnTerminalName().empty());
  unsetenv("TERM");
  CHECK(OwnTerminalName().empty());
  if (!kept.empty()) setenv("TERM", kept.c_str(), 1);
}

}  // namespace capsem::cli
