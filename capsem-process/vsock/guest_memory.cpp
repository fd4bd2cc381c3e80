#include "vsock/guest_memory.h"

#include <endian.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/planted.h"

namespace capsem::process {
namespace {

// The most that a split ring asks for: its descriptor table (virtio 1.1, 2.6).
constexpr uint64_t kAlignment = 16;

Status OutsideError(uint64_t address, uint64_t size) {
  return InvalidArgument("the guest names {} bytes at {:#x}, which is not memory of its machine",
                         size, address);
}

// Reaches the end of the address space: no machine has memory there, and sums stay plain sums.
bool Wraps(uint64_t address, uint64_t size) { return address + size < address; }

}  // namespace

Status GuestMemory::Reset(std::span<const Region> regions) {
  if (regions.size() > kMaxRegions)
    return InvalidArgument("a memory table of {} regions; at most {} are allowed", regions.size(),
                           kMaxRegions);
  for (const Region& region : regions) {
    if (region.bytes.empty() || Wraps(region.guest_address, region.bytes.size()) ||
        Wraps(region.user_address, region.bytes.size()))
      return InvalidArgument("a memory region of {} bytes at {:#x} cannot be", region.bytes.size(),
                             region.guest_address);
    // Then what is aligned for the guest is aligned here, too.
    if ((reinterpret_cast<uintptr_t>(region.bytes.data()) - region.guest_address) % kAlignment != 0)
      return InvalidArgument("a memory region at {:#x} is not aligned", region.guest_address);
  }
  regions_.assign(regions.begin(), regions.end());
  return OkStatus();
}

std::span<uint8_t> GuestMemory::From(uint64_t address) const {
  for (const Region& region : regions_) {
    const uint64_t offset = address - region.guest_address;
    if (address >= region.guest_address && offset < region.bytes.size())
      return region.bytes.subspan(offset);
  }
  return {};
}

Status GuestMemory::Translate(uint64_t address, uint64_t size, std::vector<iovec>& pieces) const {
  // At most one turn per region, as each takes a region to its end.
  for (uint64_t done = 0; done < size;) {
    const std::span<uint8_t> rest = From(address + done);
    if (rest.empty() || Wraps(address, done)) return OutsideError(address, size);
    // Planted 3: the region that holds the first byte is taken to hold the last one, too.
    const uint64_t count = PLANTED(3) ? size - done : std::min<uint64_t>(size - done, rest.size());
    pieces.push_back({rest.data(), count});
    done += count;
  }
  return OkStatus();
}

Status GuestMemory::Read(uint64_t address, std::span<uint8_t> out) const {
  const std::span<uint8_t> from = From(address);
  if (from.size() < out.size()) return OutsideError(address, out.size());
  std::memcpy(out.data(), from.data(), out.size());
  // The copy is what counts from here on: the compiler may not read the guest's bytes again.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return OkStatus();
}

Status GuestMemory::Write(uint64_t address, std::span<const uint8_t> bytes) const {
  const std::span<uint8_t> to = From(address);
  if (to.size() < bytes.size()) return OutsideError(address, bytes.size());
  std::memcpy(to.data(), bytes.data(), bytes.size());
  return OkStatus();
}

StatusOr<uint16_t> GuestMemory::LoadAcquire(uint64_t address) const {
  const std::span<uint8_t> from = From(address);
  if (from.size() < sizeof(uint16_t)) return OutsideError(address, sizeof(uint16_t));
  return le16toh(__atomic_load_n(reinterpret_cast<uint16_t*>(from.data()), __ATOMIC_ACQUIRE));
}

Status GuestMemory::StoreRelease(uint64_t address, uint16_t value) const {
  const std::span<uint8_t> to = From(address);
  if (to.size() < sizeof(uint16_t)) return OutsideError(address, sizeof(uint16_t));
  __atomic_store_n(reinterpret_cast<uint16_t*>(to.data()), htole16(value), __ATOMIC_RELEASE);
  return OkStatus();
}

StatusOr<uint64_t> GuestMemory::GuestAddress(uint64_t user_address) const {
  for (const Region& region : regions_) {
    const uint64_t offset = user_address - region.user_address;
    if (user_address >= region.user_address && offset < region.bytes.size())
      return region.guest_address + offset;
  }
  return InvalidArgument("a ring at {:#x} of QEMU's memory is not in the guest's", user_address);
}

}  // namespace capsem::process
