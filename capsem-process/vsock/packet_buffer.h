// A packet where it lies in the guest's memory: 44 bytes of header and then payload, in whatever
// pieces the guest chose. The header is copied; the payload is moved in place by the system calls
// that take `iovec`s. An object is used again and again, so that its storage is. No thread of its
// own; the memory must stay as it is until the next Attach.
#pragma once

#include <span>
#include <vector>

#include "base/status.h"
#include "vsock/guest_memory.h"
#include "vsock/virtqueue.h"
#include "vsock/vsock_packet.h"

namespace capsem::process {

class PacketBuffer {
 public:
  // Over one half of a chain. Refuses what is not memory, and what is too short for a header.
  Status Attach(const GuestMemory& memory, std::span<const Segment> segments);

  VsockHeader ReadHeader() const;
  void WriteHeader(const VsockHeader& header) const;

  uint64_t payload_size() const { return payload_size_; }
  // The first `size` bytes of the payload, which are there. Good until the next call; once per
  // Attach.
  StatusOr<std::span<iovec>> Payload(uint64_t size);

 private:
  std::vector<iovec> header_;
  std::vector<iovec> payload_;
  uint64_t payload_size_ = 0;
};

}  // namespace capsem::process
