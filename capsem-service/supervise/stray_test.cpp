#include "supervise/stray.h"

#include <sys/wait.h>

#include "base/child.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

std::unique_ptr<Child> Sleeper(Loop& loop) {
  ChildSpec spec;
  spec.program = "/bin/sleep";
  spec.args = {"60"};
  return VALUE_OF(Child::Spawn(loop, std::move(spec), [](ExitReason) {}));
}

}  // namespace

TEST_CASE("a stray is ended and its end is heard") {
  TestLoop loop;
  const auto sleeper = Sleeper(loop);
  bool gone = false;
  const auto stray =
      VALUE_OF(Stray::Hold(loop, sleeper->pid(), getpid(), [&gone] { gone = true; }));
  REQUIRE(!stray->gone());
  stray->Kill();
  REQUIRE(loop.RunUntil([&gone] { return gone; }));
  REQUIRE(stray->gone());
}

TEST_CASE("what is not the child of that parent is left alone") {
  TestLoop loop;
  const auto sleeper = Sleeper(loop);
  REQUIRE_CODE(Stray::Hold(loop, sleeper->pid(), getpid() + 1, [] {}), kFailedPrecondition);
  REQUIRE_CODE(Stray::Hold(loop, 1, getpid(), [] {}), kNotFound);
  REQUIRE(sleeper->running());
}

TEST_CASE("a process that has been buried is not found") {
  TestLoop loop;
  pid_t pid = 0;
  {
    const auto sleeper = Sleeper(loop);
    pid = sleeper->pid();
  }
  REQUIRE_CODE(Stray::Hold(loop, pid, getpid(), [] {}), kNotFound);
}

}  // namespace capsem::service
