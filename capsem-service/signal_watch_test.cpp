#include "signal_watch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::service {

TEST_CASE("each signal is heard on the loop as what it asks for") {
  struct Case {
    SignalWatch::Hangup hangup;
    std::string heard;
  };
  const auto c = GENERATE(Case{SignalWatch::Hangup::kReloads, "end end reload "},
                          Case{SignalWatch::Hangup::kEnds, "end end end "});
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  SignalWatch::Block();
  TestLoop loop;
  std::string heard;
  const auto watch = VALUE_OF(SignalWatch::Create(
      loop, c.hangup,
      {.on_end = [&heard] { heard += "end "; }, .on_reload = [&heard] { heard += "reload "; }}));
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    const size_t so_far = heard.size();
    // To this thread: others of the test program may not have blocked it.
    pthread_kill(pthread_self(), signal);
    REQUIRE(loop.RunUntil([&] { return heard.size() > so_far; }));
  }
  REQUIRE(heard == c.heard);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("a hangup ends what has a terminal") {
  const UniqueFd file(open("/dev/null", O_RDWR | O_CLOEXEC));
  REQUIRE(SignalWatch::HangupOf(file.get()) == SignalWatch::Hangup::kReloads);
  const UniqueFd terminal(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(SignalWatch::HangupOf(terminal.get()) == SignalWatch::Hangup::kEnds);
}

}  // namespace capsem::service
