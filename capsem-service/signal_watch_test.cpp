#include "signal_watch.h"

#include <signal.h>
#include <unistd.h>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::service {

TEST_CASE("each signal that asks for the end is heard on the loop") {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  SignalWatch::Block();
  TestLoop loop;
  int heard = 0;
  const auto watch = VALUE_OF(SignalWatch::Create(loop, [&heard] { ++heard; }));
  int expected = 0;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    // To this thread: others of the test program may not have blocked it.
    pthread_kill(pthread_self(), signal);
    ++expected;
    REQUIRE(loop.RunUntil([&] { return heard == expected; }));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace capsem::service
