#include "base/child.h"

#include <signal.h>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem {

TEST_CASE("a child that is destroyed while it runs is killed and reaped") {
  TestLoop loop;
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.args = {"-c", "exec sleep 1000"};
  auto child = VALUE_OF(Child::Spawn(loop, std::move(spec), [](ExitReason) {}));
  const pid_t pid = child->pid();
  child.reset();
  // Not even a zombie is left.
  REQUIRE(kill(pid, 0) != 0);
  REQUIRE(errno == ESRCH);
}

}  // namespace capsem
