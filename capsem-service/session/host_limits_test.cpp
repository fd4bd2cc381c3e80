#include "session/host_limits.h"

#include <catch2/catch.hpp>

namespace capsem::service {

TEST_CASE("what holds machines on this host is said, and what is missing with what helps") {
  REQUIRE(LimitsOf(7) == "rlimit, seccomp, Landlock ABI 7");
  REQUIRE(LimitsOf(0) == "rlimit, seccomp");
  REQUIRE(LandlockProblem(1).empty());
  REQUIRE(LandlockProblem(0).find("lsm=") != std::string::npos);
}

}  // namespace capsem::service
