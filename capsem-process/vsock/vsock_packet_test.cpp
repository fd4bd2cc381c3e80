#include "vsock/vsock_packet.h"

#include <numeric>

#include <catch2/catch.hpp>

namespace capsem::process {
namespace {

TEST_CASE("the fields of a header lie where the standard puts them") {
  std::array<uint8_t, kVsockHeaderSize> bytes;
  std::iota(bytes.begin(), bytes.end(), 1);
  const VsockHeader header = ParseVsockHeader(bytes);
  REQUIRE(header.source_cid == 0x0807060504030201);
  REQUIRE(header.destination_cid == 0x100f0e0d0c0b0a09);
  REQUIRE(header.source_port == 0x14131211);
  REQUIRE(header.destination_port == 0x18171615);
  REQUIRE(header.length == 0x1c1b1a19);
  REQUIRE(header.type == 0x1e1d);
  REQUIRE(header.op == static_cast<VsockOp>(0x201f));
  REQUIRE(header.flags == 0x24232221);
  REQUIRE(header.buffer_size == 0x28272625);
  REQUIRE(header.forwarded == 0x2c2b2a29);
}

TEST_CASE("a header that was printed parses to the same") {
  const VsockHeader header = {.source_cid = 3,
                              .destination_cid = kHostCid,
                              .source_port = 1023,
                              .destination_port = 5000,
                              .length = 65536,
                              .op = VsockOp::kData,
                              .flags = kShutdownSend,
                              .buffer_size = 262144,
                              .forwarded = 0xfffffff0};
  REQUIRE(ParseVsockHeader(FormatVsockHeader(header)) == header);
}

}  // namespace
}  // namespace capsem::process
