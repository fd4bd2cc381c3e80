#include "machine/byte_budget.h"

#include "base/testing/status_matchers.h"

namespace capsem::process {

using std::chrono::milliseconds;

TEST_CASE("a budget gives a burst, then what each second brings, and never saves over the burst") {
  const Clock::TimePoint start = Clock::Now();
  ByteBudget budget(1000, 100, start);
  struct Case {
    milliseconds at;
    size_t wanted, given;
  };
  const Case cases[] = {
      {milliseconds(0), 400, 400},     {milliseconds(0), 700, 600},
      {milliseconds(0), 1, 0},         {milliseconds(500), 100, 50},
      {milliseconds(510), 100, 1},     {milliseconds(1'000'000), 5000, 1000},
      {milliseconds(1'000'000), 1, 0},
  };
  for (const Case& c : cases) REQUIRE(budget.Take(c.wanted, start + c.at) == c.given);
}

TEST_CASE("a budget fills up in steps that are less than a byte") {
  const Clock::TimePoint start = Clock::Now();
  ByteBudget budget(10, 1, start);
  REQUIRE(budget.Take(10, start) == 10);
  size_t given = 0;
  for (int step = 1; step <= 3000; ++step) given += budget.Take(10, start + milliseconds(step));
  REQUIRE(given >= 2);
  REQUIRE(given <= 3);
}

}  // namespace capsem::process
