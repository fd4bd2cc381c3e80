#include "exec/cgroup_tree.h"

#include <catch2/catch.hpp>

namespace capsem::agent {

TEST_CASE("commands get the machine's memory, less what the agent needs") {
  const ExecLimits small = LimitsFor(uint64_t{256} << 20);
  REQUIRE(small.memory_bytes == uint64_t{216} << 20);
  REQUIRE(small.processes == 3456);
  // pid_max is 32768: some are left for the kernel and the agent, however large the machine.
  REQUIRE(LimitsFor(uint64_t{16} << 30).processes == 30000);
}

TEST_CASE("a machine that reports no memory still has limits that let a command run") {
  REQUIRE(LimitsFor(0).memory_bytes > 0);
  REQUIRE(LimitsFor(0).processes > 100);
}

}  // namespace capsem::agent
