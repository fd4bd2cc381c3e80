#include "guest/heartbeat.h"

#include "base/testing/status_matchers.h"

namespace capsem::process {

using Verdict = Heartbeat::Verdict;

TEST_CASE("a guest that answers is asked again at every beat") {
  Heartbeat heartbeat;
  for (int beat = 0; beat < 10; ++beat) {
    REQUIRE(heartbeat.Beat() == Verdict::kAsk);
    heartbeat.Heard();
  }
}

TEST_CASE("a guest that stops is known at the second beat") {
  Heartbeat heartbeat;
  heartbeat.Heard();
  REQUIRE(heartbeat.Beat() == Verdict::kAsk);
  REQUIRE(heartbeat.Beat() == Verdict::kSilent);
}

}  // namespace capsem::process
