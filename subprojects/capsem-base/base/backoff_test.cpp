#include "base/backoff.h"

#include <limits>

#include "base/testing/status_matchers.h"

namespace capsem {

TEST_CASE("each failure doubles the delay, up to the bound and no further") {
  using std::chrono::milliseconds;
  const Backoff backoff{milliseconds(100), milliseconds(1500)};
  REQUIRE(backoff.Delay(1) == milliseconds(100));
  REQUIRE(backoff.Delay(2) == milliseconds(200));
  REQUIRE(backoff.Delay(4) == milliseconds(800));
  REQUIRE(backoff.Delay(5) == milliseconds(1500));
  REQUIRE(backoff.Delay(std::numeric_limits<int>::max()) == milliseconds(1500));
}

}  // namespace capsem
