// A split virtqueue (virtio 1.1, 2.6): three arrays in the guest's memory. The guest fills a table
// of descriptors and lists chains of them in the available ring; we take chains, use their buffers,
// and list them in the used ring.
//
//   Pop ──▶ use the buffers ──▶ Push … Push ──▶ Publish (true: the guest wants an interrupt)
//
// Everything here belongs to the guest, who may lie, and change it while we look: each descriptor
// is copied once, and every index, length, address and the length of a chain is checked on the
// copy. An error means that the ring is broken for good; whoever owns it gives the machine up. Pure
// over GuestMemory: no descriptors of files, no loop. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "vsock/guest_memory.h"

namespace capsem::process {

// A piece of a buffer, by guest-physical address. Not yet known to be memory of the machine:
// GuestMemory says so when it is used.
struct Segment {
  uint64_t address = 0;
  uint32_t size = 0;
};

// A chain as it was when it was popped: what the guest wrote for us, then where we may write.
struct DescriptorChain {
  uint16_t head = 0;
  std::vector<Segment> readable;
  std::vector<Segment> writable;
};

class Virtqueue {
 public:
  // The largest ring of the standard, and the longest chain we take. Linux's vsock driver uses 2
  // descriptors, or 19 for a packet made of pages.
  static constexpr uint16_t kMaxSize = 32768;
  static constexpr size_t kMaxChain = 64;

  struct Layout {
    uint16_t size = 0;  // a power of two
    uint64_t descriptors = 0;
    uint64_t available = 0;
    uint64_t used = 0;
    bool event_index = false;  // VIRTIO_F_RING_EVENT_IDX was agreed on
    bool indirect = false;     // VIRTIO_F_RING_INDIRECT_DESC was agreed on
  };

  // `next_available`: where to go on in the available ring, 0 for a new one. `memory` outlives this
  // object. Refuses a layout that is not whole inside the memory.
  static StatusOr<Virtqueue> Create(const GuestMemory& memory, const Layout& layout,
                                    uint16_t next_available);

  // The next chain, into `chain` (whose storage is reused). False when there is none.
  StatusOr<bool> Pop(DescriptorChain& chain);
  // The chain popped last goes back to the guest's side, to be popped again.
  void Unpop();
  // Gives a chain back, of whose writable part `written` bytes were written. Seen with Publish.
  Status Push(uint16_t head, uint32_t written);
  // Shows what was pushed. True: the guest wants to be interrupted for it.
  StatusOr<bool> Publish();
  // Asks to be kicked for the next chain. True: it came already, and there may be no kick.
  StatusOr<bool> AskForKick();

  uint16_t next_available() const { return next_available_; }

 private:
  struct Descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags;
    uint16_t next;
  };
  struct Table {
    uint64_t address;
    uint32_t size;
  };

  Virtqueue(const GuestMemory& memory, const Layout& layout, uint16_t next_available)
      : memory_(&memory), layout_(layout), next_available_(next_available) {}

  StatusOr<Descriptor> ReadDescriptor(const Table& table, uint32_t index) const;
  Status ReadChain(DescriptorChain& chain) const;
  StatusOr<Table> IndirectTable(const Descriptor& descriptor) const;
  StatusOr<bool> WantsInterrupt(uint16_t published_before) const;
  Status LoadAvailableEnd();

  const GuestMemory* memory_;
  Layout layout_;
  uint16_t next_available_;
  uint16_t available_end_ = 0;  // the guest's index as last read, good until we reach it
  uint16_t used_end_ = 0;       // our index, with what is pushed and not published
  uint16_t published_ = 0;
  bool published_once_ = false;
};

}  // namespace capsem::process
