// The 44-byte header in front of every vsock packet (virtio 1.2, 5.10.6), parsed and printed. Pure.
// All 44-byte strings parse: whoever reads the fields judges them.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace capsem::process {

inline constexpr size_t kVsockHeaderSize = 44;
// The standard's fixed address of the host.
inline constexpr uint64_t kHostCid = 2;
// The only type of socket we speak.
inline constexpr uint16_t kVsockStreamType = 1;

enum class VsockOp : uint16_t {
  kInvalid = 0,
  kRequest = 1,
  kResponse = 2,
  kReset = 3,
  kShutdown = 4,
  kData = 5,
  kCreditUpdate = 6,
  kCreditRequest = 7,
};
// Flags of kShutdown: what the sender will not do any more.
inline constexpr uint32_t kShutdownReceive = 1;
inline constexpr uint32_t kShutdownSend = 2;

struct VsockHeader {
  uint64_t source_cid = 0;
  uint64_t destination_cid = 0;
  uint32_t source_port = 0;
  uint32_t destination_port = 0;
  uint32_t length = 0;  // of the payload, as its sender claims
  uint16_t type = kVsockStreamType;
  VsockOp op = VsockOp::kInvalid;
  uint32_t flags = 0;
  // Credit: how much the sender can buffer, and how much it has taken out of that buffer so far.
  uint32_t buffer_size = 0;
  uint32_t forwarded = 0;

  bool operator==(const VsockHeader&) const = default;
};

VsockHeader ParseVsockHeader(std::span<const uint8_t, kVsockHeaderSize> bytes);
std::array<uint8_t, kVsockHeaderSize> FormatVsockHeader(const VsockHeader& header);

}  // namespace capsem::process
