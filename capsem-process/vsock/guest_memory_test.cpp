#include "vsock/guest_memory.h"

#include <cstring>
#include <limits>

#include "base/testing/status_matchers.h"

namespace capsem::process {
namespace {

constexpr uint64_t kLow = 0x1000;
constexpr uint64_t kSize = 0x1000;
constexpr uint64_t kHigh = 0x100000;

// Two neighbours, and one far away, in one piece of plain memory.
struct Fixture {
  Fixture() {
    const GuestMemory::Region regions[] = {
        {kLow, 0x7000, std::span(bytes).subspan(0, kSize)},
        {kLow + kSize, 0x9000, std::span(bytes).subspan(2 * kSize, kSize)},
        {kHigh, 0xf000, std::span(bytes).subspan(kSize, kSize)},
    };
    REQUIRE_OK(memory.Reset(regions));
  }
  alignas(16) uint8_t bytes[3 * kSize] = {};
  GuestMemory memory;
};

TEST_CASE("an access is where the guest means it, or is refused") {
  Fixture fixture;
  struct Case {
    const char* what;
    uint64_t address, size;
    bool inside;
  };
  const Case cases[] = {
      {"the first bytes", kLow, 8, true},
      {"the last bytes of a region", kHigh + kSize - 8, 8, true},
      {"one byte too far", kHigh + kSize - 7, 8, false},
      {"just below a region", kLow - 1, 1, false},
      {"just behind a region", kHigh + kSize, 1, false},
      {"a hole", 0x50000, 8, false},
      {"the end of all addresses", std::numeric_limits<uint64_t>::max(), 8, false},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    std::vector<uint8_t> buffer(c.size, 7);
    std::vector<iovec> pieces;
    REQUIRE(fixture.memory.Write(c.address, buffer).ok() == c.inside);
    REQUIRE(fixture.memory.Read(c.address, buffer).ok() == c.inside);
    REQUIRE(fixture.memory.Translate(c.address, c.size, pieces).ok() == c.inside);
  }
  REQUIRE(fixture.bytes[0] == 7);
  REQUIRE(fixture.bytes[2 * kSize - 1] == 7);
}

TEST_CASE("a piece that lies in two neighbours is translated into two") {
  Fixture fixture;
  std::vector<iovec> pieces;
  REQUIRE_OK(fixture.memory.Translate(kLow + kSize - 16, 48, pieces));
  REQUIRE(pieces.size() == 2);
  REQUIRE(pieces[0].iov_base == fixture.bytes + kSize - 16);
  REQUIRE(pieces[0].iov_len == 16);
  REQUIRE(pieces[1].iov_base == fixture.bytes + 2 * kSize);
  REQUIRE(pieces[1].iov_len == 32);
  pieces.clear();
  REQUIRE_CODE(fixture.memory.Translate(kLow, 2 * kSize + 1, pieces), kInvalidArgument);
  REQUIRE_CODE(fixture.memory.Translate(kLow, std::numeric_limits<uint64_t>::max(), pieces),
               kInvalidArgument);
}

TEST_CASE("nothing is nowhere: a piece of no bytes may have any address") {
  Fixture fixture;
  std::vector<iovec> pieces;
  REQUIRE_OK(fixture.memory.Translate(0x50000, 0, pieces));
  REQUIRE(pieces.empty());
}

TEST_CASE("a piece cannot run around the end of the address space") {
  // Memory at 0 and memory as near to the end as there may be.
  alignas(16) static uint8_t bytes[0x2000];
  const uint64_t last = std::numeric_limits<uint64_t>::max() - 0x100f;
  const GuestMemory::Region regions[] = {{0, 0, std::span(bytes, 0x1000)},
                                         {last, 0x8000, std::span(bytes + 0x1000, 0x1000)}};
  GuestMemory memory;
  REQUIRE_OK(memory.Reset(regions));
  std::vector<iovec> pieces;
  REQUIRE_CODE(memory.Translate(last, 0x1010 + 1, pieces), kInvalidArgument);
}

TEST_CASE("ordered accesses are little-endian and stay inside") {
  Fixture fixture;
  REQUIRE_OK(fixture.memory.StoreRelease(kHigh + 2, 0x1234));
  REQUIRE(fixture.bytes[kSize + 2] == 0x34);
  REQUIRE(VALUE_OF(fixture.memory.LoadAcquire(kHigh + 2)) == 0x1234);
  REQUIRE_CODE(fixture.memory.LoadAcquire(kHigh + kSize), kInvalidArgument);
  REQUIRE_CODE(fixture.memory.StoreRelease(kHigh - 2, 1), kInvalidArgument);
}

TEST_CASE("QEMU's addresses become the guest's") {
  Fixture fixture;
  REQUIRE(VALUE_OF(fixture.memory.GuestAddress(0x7000)) == kLow);
  REQUIRE(VALUE_OF(fixture.memory.GuestAddress(0xf010)) == kHigh + 0x10);
  REQUIRE_CODE(fixture.memory.GuestAddress(0x6fff), kInvalidArgument);
  REQUIRE_CODE(fixture.memory.GuestAddress(0xf000 + kSize), kInvalidArgument);
}

TEST_CASE("a table that cannot be is refused, and the one before it stays") {
  Fixture fixture;
  alignas(16) static uint8_t bytes[64];
  const uint64_t end = std::numeric_limits<uint64_t>::max() - 15;
  const struct {
    const char* what;
    std::vector<GuestMemory::Region> regions;
  } cases[] = {
      {"an empty region", {{0, 0, {}}}},
      {"a region around the end of guest addresses", {{end, 0, bytes}}},
      {"a region around the end of QEMU's addresses", {{0, end, bytes}}},
      {"a region that is not aligned", {{8, 0, bytes}}},
      {"nine regions", std::vector<GuestMemory::Region>(9, {0, 0, bytes})},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    REQUIRE_CODE(fixture.memory.Reset(c.regions), kInvalidArgument);
  }
  REQUIRE_OK(fixture.memory.LoadAcquire(kLow));
}

}  // namespace
}  // namespace capsem::process
