#include "supervise/child_env.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

namespace capsem::service {

TEST_CASE("a child gets what is on the list and nothing else") {
  const auto env = ChildEnv({"SECRET=1", "LANG=C.UTF-8", "PATH=/evil", "CAPSEM_LOG=debug",
                             "LD_PRELOAD=x.so", "CAPSEM_HOME=/h", "LANGUAGE=de", "TZ=UTC"});
  REQUIRE(env == std::vector<std::string>{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
                                          "CAPSEM_LOG=debug", "TZ=UTC"});
}

TEST_CASE("the own environment is read whole") {
  setenv("CAPSEM_TEST_MARK", "here", 1);
  const auto env = OwnEnvironment();
  REQUIRE(std::count(env.begin(), env.end(), "CAPSEM_TEST_MARK=here") == 1);
}

}  // namespace capsem::service
