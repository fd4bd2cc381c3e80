// The guest's memory as its devices see it: every access is by guest-physical address and is
// checked against the table of regions. Owned by whoever holds the table (VhostUser); on the loop's
// thread.
//
// The guest writes to this memory at any time, so nothing may be looked at twice: Read copies, and
// whoever decides on something decides on the copy. Only payload, which nobody interprets here, is
// moved in place, through Translate. All access goes through these few functions so that memory
// which cannot be mapped (a private copy inside QEMU, reached by process_vm_readv) can take their
// place.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace capsem::process {

class GuestMemory {
 public:
  struct Region {
    uint64_t guest_address = 0;
    // Where the same bytes lie in QEMU: rings are announced by these addresses.
    uint64_t user_address = 0;
    // Not owned: a memory mapping, which must stay until Reset.
    std::span<uint8_t> bytes;
  };
  // Vhost-user's own limit for one table, and much more than a q35 machine has.
  static constexpr size_t kMaxRegions = 8;

  GuestMemory() = default;
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;

  // Replaces the table. Refuses one that is too long, an empty region, or one that wraps around.
  Status Reset(std::span<const Region> regions);

  Status Read(uint64_t address, std::span<uint8_t> out) const;
  Status Write(uint64_t address, std::span<const uint8_t> bytes) const;
  // The two accesses that order others: a load that everything after it stays behind, and a store
  // that everything before it precedes. The address must be even.
  StatusOr<uint16_t> LoadAcquire(uint64_t address) const;
  Status StoreRelease(uint64_t address, uint16_t value) const;

  // Appends where these bytes lie here, in as many pieces as there are regions.
  Status Translate(uint64_t address, uint64_t size, std::vector<iovec>& pieces) const;
  // The guest-physical address of a byte that QEMU calls `user_address`.
  StatusOr<uint64_t> GuestAddress(uint64_t user_address) const;

 private:
  // The bytes from `address` to the end of its region; empty when no region has it.
  std::span<uint8_t> From(uint64_t address) const;

  std::vector<Region> regions_;
};

}  // namespace capsem::process
