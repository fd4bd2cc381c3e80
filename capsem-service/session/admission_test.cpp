#include "session/admission.h"

#include "base/testing/status_matchers.h"
#include "wire/limits.h"

namespace capsem::service {
namespace {

constexpr uint64_t kGib = uint64_t{1} << 30;

constexpr uint32_t kMib = 512;  // what the session wants

}  // namespace

TEST_CASE("a host with room takes one more") {
  REQUIRE_OK(Admit(kMib, {.disk_free = 2 * kGib, .memory_available = kGib / 2, .running = 9}));
}

TEST_CASE("a host without room says what is short and what helps") {
  struct Case {
    HostRoom room;
    std::string says;
  };
  const std::vector<Case> cases = {
      {{.disk_free = 9 * kGib, .memory_available = kGib, .running = 10}, "the limit is 10"},
      {{.disk_free = 2 * kGib - 1, .memory_available = kGib, .running = 0}, "2047 MiB of disk"},
      {{.disk_free = 9 * kGib, .memory_available = kGib / 2 - 1, .running = 0},
       "511 MiB of memory"},
  };
  for (const Case& c : cases) {
    const Status status = Admit(kMib, c.room);
    REQUIRE_CODE(status, kResourceExhausted);
    INFO(Describe(status));
    REQUIRE(Message(status).find(c.says) != std::string_view::npos);
    REQUIRE(!Remedy(status).empty());
  }
}

TEST_CASE("this host is measured, and what cannot be measured is plenty") {
  const HostRoom room = MeasureHost("/tmp");
  REQUIRE(room.memory_available > 0);
  REQUIRE(room.memory_available < uint64_t{1} << 50);
  REQUIRE(room.disk_free < uint64_t{1} << 60);
  REQUIRE(MeasureHost("/nowhere/at/all").disk_free > uint64_t{1} << 60);
}

}  // namespace capsem::service
