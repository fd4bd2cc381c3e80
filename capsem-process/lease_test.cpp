#include "lease.h"

#include <catch2/catch.hpp>

#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

struct Bench {
  explicit Bench(milliseconds length) : lease(loop, length, [this] { ++over; }) {}
  // Far longer than a lease of a millisecond.
  void TurnForAWhile() {
    Timer end(loop);
    bool ended = false;
    end.Start(milliseconds(20), [&ended] { ended = true; });
    REQUIRE(loop.RunUntil([&ended] { return ended; }));
  }
  TestLoop loop;
  int over = 0;
  Lease lease;
};

TEST_CASE("a process that nobody has held goes with its parent") {
  Bench b(hours(1));
  b.lease.ParentGone();
  REQUIRE(b.over == 1);
  b.lease.ParentGone();
  REQUIRE(b.over == 1);
}

TEST_CASE("one that is or was held does not: only the lease counts") {
  Bench b(hours(1));
  b.lease.Hold();
  SECTION("held") { b.lease.ParentGone(); }
  SECTION("held once") {
    b.lease.Release();
    b.lease.ParentGone();
  }
  b.TurnForAWhile();
  REQUIRE(b.over == 0);
}

TEST_CASE("the lease runs from the end of the last hold") {
  Bench b(milliseconds(1));
  b.lease.Hold();
  b.lease.Hold();
  b.lease.Release();
  b.TurnForAWhile();
  REQUIRE(b.over == 0);
  b.lease.Release();
  REQUIRE(b.over == 0);  // told from the loop
  REQUIRE(b.loop.RunUntil([&b] { return b.over == 1; }));
}

TEST_CASE("whoever holds again ends the running out") {
  Bench b(milliseconds(1));
  b.lease.Hold();
  b.lease.Release();
  b.lease.Hold();
  b.TurnForAWhile();
  REQUIRE(b.over == 0);
  b.lease.Release();
  REQUIRE(b.loop.RunUntil([&b] { return b.over == 1; }));
}

TEST_CASE("a cancelled lease tells nothing") {
  Bench b(milliseconds(1));
  b.lease.Hold();
  SECTION("while it is held") {
    b.lease.Cancel();
    b.lease.Release();
  }
  SECTION("while it runs out") {
    b.lease.Release();
    b.lease.Cancel();
  }
  b.TurnForAWhile();
  REQUIRE(b.over == 0);
}

}  // namespace
}  // namespace capsem::process
