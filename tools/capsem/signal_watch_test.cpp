#include "signal_watch.h"

#include <signal.h>

#include <catch2/catch.hpp>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::cli {

TEST_CASE("each Ctrl-C is an event, and afterwards it ends programs again") {
  TestLoop loop;
  int count = 0;
  {
    const auto watch = VALUE_OF(SignalWatch::Create(loop, SIGINT, [&] { ++count; }));
    raise(SIGINT);
    raise(SIGINT);
    REQUIRE(loop.RunUntil([&] { return count == 2; }));
  }
  struct sigaction after {};
  sigaction(SIGINT, nullptr, &after);
  CHECK(after.sa_handler == SIG_DFL);
}

TEST_CASE("a SIGINT that was ignored from the start stays ignored") {
  signal(SIGINT, SIG_IGN);
  TestLoop loop;
  int count = 0;
  {
    const auto watch = VALUE_OF(SignalWatch::Create(loop, SIGINT, [&] { ++count; }));
    raise(SIGINT);
    loop.RunReady();
  }
  CHECK(count == 0);
  struct sigaction after {};
  sigaction(SIGINT, nullptr, &after);
  CHECK(after.sa_handler == SIG_IGN);
  signal(SIGINT, SIG_DFL);
}

}  // namespace capsem::cli
