#include "base/meminfo.h"

#include <unistd.h>

#include "base/testing/status_matchers.h"

namespace capsem {

TEST_CASE("the memory of this host is told in bytes") {
  const auto pages = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES));
  REQUIRE(MeminfoBytes("MemTotal") == pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  REQUIRE(MeminfoBytes("MemAvailable").value() < MeminfoBytes("MemTotal").value());
}

TEST_CASE("what the kernel does not tell is nothing, and the beginning of a key is no key") {
  REQUIRE(MeminfoBytes("MemNonsense") == std::nullopt);
  REQUIRE(MeminfoBytes("Mem") == std::nullopt);
}

}  // namespace capsem
