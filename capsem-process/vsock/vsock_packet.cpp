#include "vsock/vsock_packet.h"

#include <endian.h>

#include <cstring>

namespace capsem::process {
namespace {

// The header as it lies in memory, all fields little-endian.
struct __attribute__((packed)) WireHeader {
  uint64_t source_cid;
  uint64_t destination_cid;
  uint32_t source_port;
  uint32_t destination_port;
  uint32_t length;
  uint16_t type;
  uint16_t op;
  uint32_t flags;
  uint32_t buffer_size;
  uint32_t forwarded;
};
static_assert(sizeof(WireHeader) == kVsockHeaderSize);

}  // namespace

VsockHeader ParseVsockHeader(std::span<const uint8_t, kVsockHeaderSize> bytes) {
  WireHeader wire;
  std::memcpy(&wire, bytes.data(), sizeof wire);
  return {
      .source_cid = le64toh(wire.source_cid),
      .destination_cid = le64toh(wire.destination_cid),
      .source_port = le32toh(wire.source_port),
      .destination_port = le32toh(wire.destination_port),
      .length = le32toh(wire.length),
      .type = le16toh(wire.type),
      .op = static_cast<VsockOp>(le16toh(wire.op)),
      .flags = le32toh(wire.flags),
      .buffer_size = le32toh(wire.buffer_size),
      .forwarded = le32toh(wire.forwarded),
  };
}

std::array<uint8_t, kVsockHeaderSize> FormatVsockHeader(const VsockHeader& header) {
  const WireHeader wire = {
      .source_cid = htole64(header.source_cid),
      .destination_cid = htole64(header.destination_cid),
      .source_port = htole32(header.source_port),
      .destination_port = htole32(header.destination_port),
      .length = htole32(header.length),
      .type = htole16(header.type),
      .op = htole16(static_cast<uint16_t>(header.op)),
      .flags = htole32(header.flags),
      .buffer_size = htole32(header.buffer_size),
      .forwarded = htole32(header.forwarded),
  };
  std::array<uint8_t, kVsockHeaderSize> bytes;
  std::memcpy(bytes.data(), &wire, sizeof wire);
  return bytes;
}

}  // namespace capsem::process
