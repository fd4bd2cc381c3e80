// The guest's side of the device, for tests: rings and buffers in plain memory, as a driver would
// fill them, and pokes for what no driver would do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vsock/guest_memory.h"
#include "vsock/virtqueue.h"
#include "vsock/vsock_packet.h"

namespace capsem::process {

// The driver's half of one split ring, in bytes that stand for guest memory from `base` on. The
// ring lies at `place` (guest-physical) and takes less than 0x1000 bytes.
class RingDriver {
 public:
  struct Buffer {
    uint64_t address;
    uint32_t size;
    bool writable;
  };
  struct Used {
    uint32_t head;
    uint32_t written;
  };
  static constexpr uint16_t kNext = 1, kWrite = 2, kIndirect = 4;

  RingDriver(std::span<uint8_t> bytes, uint64_t base, uint64_t place, uint16_t size);

  const Virtqueue::Layout& layout() const { return layout_; }
  // Writes the chain into fresh descriptors and lists it. The answer: its head.
  uint16_t Add(const std::vector<Buffer>& chain);
  // The same through an indirect table that is written at `table`.
  uint16_t AddIndirect(const std::vector<Buffer>& chain, uint64_t table);
  std::optional<Used> TakeUsed();

  void SetDescriptor(uint64_t table, uint32_t index, const Buffer& buffer, uint16_t flags,
                     uint16_t next);
  // Lists a head without writing descriptors.
  void List(uint16_t head);
  void SetAvailableIndex(uint16_t index);
  void SetUsedEvent(uint16_t index);
  void SetAvailableFlags(uint16_t flags);
  uint16_t available_event() const;
  uint16_t used_index() const;

 private:
  template <typename T>
  void Put(uint64_t address, T value);
  template <typename T>
  T Get(uint64_t address) const;

  std::span<uint8_t> bytes_;
  uint64_t base_;
  Virtqueue::Layout layout_;
  uint16_t next_descriptor_ = 0;
  uint16_t available_index_ = 0;
  uint16_t used_taken_ = 0;
};

// A whole driver: two rings, buffers to receive into, packets.
class GuestDriver {
 public:
  static constexpr uint64_t kBase = 0x10000;
  static constexpr size_t kMemorySize = 0x100000;
  static constexpr uint16_t kRingSize = 16;
  static constexpr uint32_t kReceivePayload = 4096;
  static constexpr uint64_t kGuestCid = 3;

  struct Packet {
    VsockHeader header;
    std::string payload;
  };

  explicit GuestDriver(std::span<uint8_t> bytes);

  // A driver that begins anew: empty rings, no packets.
  void Reset();
  // Lists buffers to receive into: a header's 44 bytes and kReceivePayload, as Linux does.
  void AddReceiveBuffers(size_t count);
  void Send(const VsockHeader& header, std::string_view payload = {});
  // The next packet that the device has put into our buffers.
  std::optional<Packet> Receive();

  RingDriver& to_guest() { return to_guest_; }
  RingDriver& from_guest() { return from_guest_; }

  // A header of a packet from the guest's port to the host's.
  static VsockHeader Header(VsockOp op, uint32_t guest_port, uint32_t length = 0);
  static constexpr uint32_t kHostPort = 5000;
  static constexpr uint32_t kCredit = 256 * 1024;

 private:
  std::span<uint8_t> bytes_;
  RingDriver to_guest_;
  RingDriver from_guest_;
  std::vector<uint64_t> receive_places_;  // by head
  uint64_t next_receive_ = 0;
  uint64_t next_send_ = 0;
};

}  // namespace capsem::process
