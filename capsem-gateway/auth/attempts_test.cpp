#include "auth/attempts.h"

#include "base/testing/status_matchers.h"

namespace capsem::gateway {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("twenty failures in a minute are told as such, the next ones are too many") {
  Attempts attempts;
  const Clock::TimePoint start = Clock::Now();
  for (int i = 0; i < Attempts::kLimit; ++i) REQUIRE_FALSE(attempts.Fail(start + seconds(i)));
  REQUIRE(attempts.Fail(start + seconds(30)));
  REQUIRE(attempts.Fail(start + seconds(60) - milliseconds(1)));
}

TEST_CASE("after the window the count begins at one") {
  Attempts attempts;
  const Clock::TimePoint start = Clock::Now();
  for (int i = 0; i < 1000; ++i) attempts.Fail(start);
  REQUIRE(attempts.Fail(start));
  const Clock::TimePoint next = start + Attempts::kWindow;
  for (int i = 0; i < Attempts::kLimit; ++i) REQUIRE_FALSE(attempts.Fail(next));
  REQUIRE(attempts.Fail(next));
}

}  // namespace capsem::gateway
