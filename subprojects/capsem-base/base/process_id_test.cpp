#include "base/process_id.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/status_matchers.h"

namespace capsem {
namespace {

// A process of ours that waits to be ended.
struct Sleeper {
  Sleeper() : pid(fork()) {
    if (pid == 0) {
      pause();
      _exit(0);
    }
  }
  ~Sleeper() {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  const pid_t pid;
};

}  // namespace

TEST_CASE("a process that lives is held when it is the one that was meant") {
  const Sleeper sleeper;
  const ProcessId id = VALUE_OF(IdentifyProcess(sleeper.pid));
  REQUIRE(id.pid == sleeper.pid);
  REQUIRE(id.start > 0);
  REQUIRE(id.boot.size() == 36);
  REQUIRE(HoldProcess(id)->valid());
  REQUIRE(StatOf(sleeper.pid)->parent == getpid());
  REQUIRE(VALUE_OF(IdentifyProcess(sleeper.pid)) == id);
}

TEST_CASE("another process under the same pid is not held") {
  const Sleeper sleeper;
  const ProcessId id = VALUE_OF(IdentifyProcess(sleeper.pid));
  struct Case {
    const char* what;
    ProcessId process;
  };
  const Case cases[] = {
      {"started at another time", {id.pid, id.start + 1, id.boot}},
      {"of another boot", {id.pid, id.start, "00000000-0000-0000-0000-000000000000"}},
      {"never noted", {}},
      {"the first process", {1, id.start, id.boot}},
      {"no pid at all", {-1, id.start, id.boot}},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    REQUIRE_CODE(HoldProcess(c.process), kNotFound);
  }
  REQUIRE(kill(sleeper.pid, 0) == 0);
}

TEST_CASE("a process that has ended is not held, whether it is buried or not") {
  const Sleeper sleeper;
  const ProcessId id = VALUE_OF(IdentifyProcess(sleeper.pid));
  kill(sleeper.pid, SIGKILL);
  siginfo_t info{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(sleeper.pid), &info, WEXITED | WNOWAIT) == 0);
  REQUIRE(StatOf(sleeper.pid)->state == 'Z');
  REQUIRE_CODE(HoldProcess(id), kNotFound);
  REQUIRE_CODE(IdentifyProcess(sleeper.pid), kNotFound);
  REQUIRE(waitpid(sleeper.pid, nullptr, 0) == sleeper.pid);
  REQUIRE_CODE(HoldProcess(id), kNotFound);
  REQUIRE(!StatOf(sleeper.pid));
}

}  // namespace capsem
