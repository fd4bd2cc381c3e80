#include "vsock/packet_buffer.h"

#include <cstring>
#include <string>

#include "base/testing/status_matchers.h"

namespace capsem::process {
namespace {

constexpr uint64_t kBase = 0x1000;

struct Fixture {
  Fixture() {
    const GuestMemory::Region region = {kBase, 0, bytes};
    REQUIRE_OK(memory.Reset({&region, 1}));
  }
  alignas(16) uint8_t bytes[0x1000] = {};
  GuestMemory memory;
  PacketBuffer buffer;
};

const VsockHeader kHeader = {.source_cid = 3,
                             .destination_cid = kHostCid,
                             .source_port = 7,
                             .destination_port = 8,
                             .length = 5,
                             .op = VsockOp::kData};

std::string Join(std::span<iovec> pieces) {
  std::string text;
  for (const iovec& piece : pieces)
    text.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  return text;
}

TEST_CASE("a packet is the same however the guest cuts it into pieces") {
  const struct {
    const char* what;
    std::vector<Segment> segments;
  } cases[] = {
      {"one piece", {{kBase, 100}}},
      {"header and payload", {{kBase, 44}, {kBase + 44, 56}}},
      {"a cut in the header", {{kBase, 10}, {kBase + 10, 90}}},
      {"a cut in both", {{kBase, 10}, {kBase + 10, 36}, {kBase + 46, 54}}},
      {"empty pieces between", {{kBase, 44}, {0, 0}, {kBase + 44, 1}, {0, 0}, {kBase + 45, 55}}},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    Fixture fixture;
    std::memcpy(fixture.bytes + 44, "hello world", 11);
    REQUIRE_OK(fixture.buffer.Attach(fixture.memory, c.segments));
    fixture.buffer.WriteHeader(kHeader);
    const auto expected = FormatVsockHeader(kHeader);
    REQUIRE(std::memcmp(fixture.bytes, expected.data(), expected.size()) == 0);
    REQUIRE(fixture.buffer.ReadHeader() == kHeader);
    REQUIRE(fixture.buffer.payload_size() == 56);
    REQUIRE(Join(VALUE_OF(fixture.buffer.Payload(5))) == "hello");
  }
}

TEST_CASE("a packet without payload has no pieces to move") {
  Fixture fixture;
  const Segment segment = {kBase, 44};
  REQUIRE_OK(fixture.buffer.Attach(fixture.memory, {&segment, 1}));
  REQUIRE(VALUE_OF(fixture.buffer.Payload(0)).empty());
}

TEST_CASE("a packet that is not what it claims is refused") {
  Fixture fixture;
  const struct {
    const char* what;
    std::vector<Segment> segments;
  } cases[] = {
      {"nothing", {}},
      {"43 bytes", {{kBase, 20}, {kBase + 20, 23}}},
      {"a header that is not in memory", {{0, 44}}},
      {"a payload that leaves memory", {{kBase, 44}, {kBase + 0xff0, 17}}},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    REQUIRE_CODE(fixture.buffer.Attach(fixture.memory, c.segments), kInvalidArgument);
  }
  const Segment segment = {kBase, 54};
  REQUIRE_OK(fixture.buffer.Attach(fixture.memory, {&segment, 1}));
  REQUIRE_CODE(fixture.buffer.Payload(11), kInvalidArgument);
}

TEST_CASE("an object that is used again remembers nothing") {
  Fixture fixture;
  const Segment large = {kBase, 500};
  const Segment small = {kBase + 600, 50};
  REQUIRE_OK(fixture.buffer.Attach(fixture.memory, {&large, 1}));
  REQUIRE_OK(fixture.buffer.Attach(fixture.memory, {&small, 1}));
  REQUIRE(fixture.buffer.payload_size() == 6);
  REQUIRE_CODE(fixture.buffer.Payload(7), kInvalidArgument);
}

}  // namespace
}  // namespace capsem::process
