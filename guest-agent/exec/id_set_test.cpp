#include "exec/id_set.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

namespace capsem::agent {

TEST_CASE("ids in order cost one range, whatever their number") {
  IdSet ids;
  for (uint64_t id = 1; id <= 100000; ++id) REQUIRE(ids.Insert(id));
  REQUIRE(ids.ranges() == 1);
  REQUIRE_FALSE(ids.Insert(1));
  REQUIRE_FALSE(ids.Insert(100000));
  REQUIRE_FALSE(ids.Contains(0));
  REQUIRE_FALSE(ids.Contains(100001));
}

TEST_CASE("ids in any order are remembered as a set would") {
  std::mt19937 random(7);
  IdSet ids;
  std::set<uint64_t> expected;
  for (int step = 0; step < 5000; ++step) {
    const uint64_t id = random() % 600;
    REQUIRE(ids.Contains(id) == expected.contains(id));
    REQUIRE(ids.Insert(id) == expected.insert(id).second);
  }
}

TEST_CASE("the ends of the range of numbers are ids like others") {
  IdSet ids;
  REQUIRE(ids.Insert(UINT64_MAX));
  REQUIRE(ids.Insert(0));
  REQUIRE(ids.Insert(UINT64_MAX - 1));
  REQUIRE(ids.Contains(UINT64_MAX));
  REQUIRE(ids.Contains(0));
  REQUIRE(ids.ranges() == 2);
}

}  // namespace capsem::agent
