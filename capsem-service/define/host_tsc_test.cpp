#include "define/host_tsc.h"

#include <catch2/catch.hpp>

namespace capsem::service {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST_CASE("the counter's rate is its ticks over the time between two samples, rounded to a MHz") {
  REQUIRE(TscMhz({1000, milliseconds(5)}, {1000 + 25'944'000, milliseconds(15)}) == 2594);
  REQUIRE(TscMhz({0, milliseconds(0)}, {3'000'000, milliseconds(1)}) == 3000);
}

TEST_CASE("a rate from samples too near, of a counter that stood or jumped, is unknown") {
  REQUIRE_FALSE(TscMhz({0, milliseconds(0)}, {2'594'000, microseconds(999)}));
  REQUIRE_FALSE(TscMhz({5, milliseconds(0)}, {5, milliseconds(10)}));
  REQUIRE_FALSE(TscMhz({9, milliseconds(0)}, {5, milliseconds(10)}));
  REQUIRE_FALSE(TscMhz({0, milliseconds(0)}, {1'000'000'000, milliseconds(1)}));
  REQUIRE_FALSE(TscMhz({0, milliseconds(0)}, {100, milliseconds(10)}));
}

TEST_CASE("a host's rate, once measured, stays the same") {
  HostTsc tsc;
  int mhz = tsc.mhz();
  while (mhz == 0) mhz = tsc.mhz();  // until the shortest measure has passed
  REQUIRE(mhz > 500);
  for (int i = 0; i < 1000; ++i) REQUIRE(tsc.mhz() == mhz);
}

}  // namespace
}  // namespace capsem::service
