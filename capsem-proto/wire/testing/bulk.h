// What the two ends of `tools/bench/run link` agree on: capsem-process (bulk_peer.h), in machines
// of tests only, and a program in the guest that dials it (guest-agent/testing/bulk_main.cpp). The
// guest asks for bytes one way, over a plain vsock stream or over a channel of a link of its own;
// for bytes to the host, the host answers with one byte when it has them all.
#pragma once

#include <cstddef>
#include <cstdint>

namespace capsem::wire {

inline constexpr uint32_t kBulkPlainPort = 5100;
inline constexpr uint32_t kBulkLinkPort = 5101;
// What either end writes or reads at a time; as much as one frame of the multiplexer holds.
inline constexpr size_t kBulkBlock = 64 * 1024;

// First on the stream or channel, in the order of bytes that both processors have.
struct BulkRequest {
  enum Way : uint64_t { kToHost = 0, kToGuest = 1 };
  uint64_t way;
  uint64_t bytes;
};

}  // namespace capsem::wire
