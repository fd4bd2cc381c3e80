#include "api/bulk_gate.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/testing/temp_dir.h"

namespace capsem::service {
namespace {

using std::chrono::milliseconds;

constexpr size_t kLarge = 256 * 1024;

struct Fixture {
  // The thread has run and waited for so many milliseconds more, and time has passed.
  void Spend(int run, int wait) {
    ran += run;
    waited += wait;
    std::ofstream(dir / "schedstat") << fmt::format("{}000000 {}000000 17\n", ran, waited);
    now += milliseconds(run + wait);
  }
  milliseconds Pass(const SessionId& session, size_t bytes) {
    return gate.Pass(session, bytes, now);
  }

  const TempDir dir;
  int ran = 0, waited = 0;
  Clock::TimePoint now = Clock::Now();
  const SessionId noisy = SessionId::Generate(), quiet = SessionId::Generate(),
                  other = SessionId::Generate();
  BulkGate gate{(std::ofstream(dir / "schedstat") << "0 0 0\n", dir / "schedstat")};
};

}  // namespace

TEST_CASE("bulk output waits where another is served and this thread waits for a processor") {
  Fixture test;
  test.Spend(10, 30);
  REQUIRE(test.Pass(test.quiet, 10) == milliseconds(0));
  REQUIRE(test.Pass(test.noisy, kLarge) == BulkGate::kSlot);
}

TEST_CASE("all bulk output together has one slot after the other") {
  Fixture test;
  test.Spend(10, 30);
  test.Pass(test.quiet, 10);
  REQUIRE(test.Pass(test.noisy, kLarge) == BulkGate::kSlot);
  REQUIRE(test.Pass(test.other, kLarge) == 2 * BulkGate::kSlot);
  test.now += milliseconds(3);
  REQUIRE(test.Pass(test.noisy, kLarge) == 3 * BulkGate::kSlot - milliseconds(3));
  test.Spend(10, 30);
  REQUIRE(test.Pass(test.noisy, kLarge) == BulkGate::kSlot);
}

TEST_CASE("bulk output waits for nobody who is not there") {
  Fixture test;
  test.Spend(10, 30);
  SECTION("nobody at all") {}
  SECTION("its own session's small output") { test.Pass(test.noisy, 10); }
  SECTION("one who was served some time ago") {
    test.Pass(test.quiet, 10);
    test.Spend(20, 80);
  }
  SECTION("other bulk output") { test.Pass(test.quiet, kLarge); }
  REQUIRE(test.Pass(test.noisy, kLarge) == milliseconds(0));
}

TEST_CASE("another counts, too, where the flooding session is served in small pieces since") {
  Fixture test;
  test.Spend(10, 30);
  test.Pass(test.quiet, 10);
  test.Pass(test.noisy, 10);
  test.Pass(test.noisy, 10);
  REQUIRE(test.Pass(test.noisy, kLarge) == BulkGate::kSlot);
}

TEST_CASE("where there are processors enough nothing waits, now as before") {
  Fixture test;
  const auto pass_after = [&](int run, int wait) {
    test.Spend(run, wait);
    test.Pass(test.quiet, 10);
    return test.Pass(test.noisy, kLarge);
  };
  REQUIRE(pass_after(36, 4) == milliseconds(0));
  REQUIRE(pass_after(10, 30) == BulkGate::kSlot);
  REQUIRE(pass_after(36, 4) == milliseconds(0));
}

TEST_CASE("a kernel that does not tell who waits has processors enough") {
  Fixture test;
  std::string path = test.dir / "nothing";
  SECTION("no such file") {}
  SECTION("another form") { std::ofstream(path) << "?\n"; }
  BulkGate gate(path);
  gate.Pass(test.quiet, 10, test.now);
  REQUIRE(gate.Pass(test.noisy, kLarge, test.now) == milliseconds(0));
}

}  // namespace capsem::service
