#include "vsock/virtqueue.h"

#include <endian.h>

#include <atomic>
#include <bit>
#include <cstring>

#include "base/planted.h"

namespace capsem::process {
namespace {

// virtio 1.1, 2.6.5 to 2.6.8: sizes of the entries, offsets inside the rings, flags.
constexpr uint64_t kDescriptorSize = 16;
constexpr uint64_t kUsedEntrySize = 8;
constexpr uint64_t kIndexOffset = 2;
constexpr uint64_t kEntriesOffset = 4;
constexpr uint16_t kFlagNext = 1;
constexpr uint16_t kFlagWrite = 2;
constexpr uint16_t kFlagIndirect = 4;
constexpr uint16_t kNoInterrupt = 1;

template <typename T>
T LoadLittle(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  if constexpr (sizeof(T) == 2) return le16toh(value);
  if constexpr (sizeof(T) == 4) return le32toh(value);
  if constexpr (sizeof(T) == 8) return le64toh(value);
}

Status CheckPlace(const GuestMemory& memory, uint64_t address, uint64_t size, uint64_t alignment) {
  if (address % alignment != 0)
    return InvalidArgument("a ring at {:#x} is not aligned to {}", address, alignment);
  std::vector<iovec> pieces;
  return memory.Translate(address, size, pieces);
}

}  // namespace

StatusOr<Virtqueue> Virtqueue::Create(const GuestMemory& memory, const Layout& layout,
                                      uint16_t next_available) {
  if (!std::has_single_bit(layout.size) || layout.size > kMaxSize)
    return InvalidArgument("a ring of {} entries; a power of two is wanted", layout.size);
  // Each ring ends with the 16-bit event index of the other side.
  const uint64_t available_size = kEntriesOffset + 2 * layout.size + 2;
  const uint64_t used_size = kEntriesOffset + kUsedEntrySize * layout.size + 2;
  TRY(CheckPlace(memory, layout.descriptors, kDescriptorSize * layout.size, 16));
  TRY(CheckPlace(memory, layout.available, available_size, 2));
  TRY(CheckPlace(memory, layout.used, used_size, 4));
  Virtqueue queue(memory, layout, next_available);
  queue.available_end_ = next_available;
  // A machine that was paused goes on where its used ring stands.
  queue.used_end_ = queue.published_ = TRY(memory.LoadAcquire(layout.used + kIndexOffset));
  return queue;
}

Status Virtqueue::LoadAvailableEnd() {
  available_end_ = TRY(memory_->LoadAcquire(layout_.available + kIndexOffset));
  const uint16_t waiting = available_end_ - next_available_;
  if (waiting > layout_.size)
    return InvalidArgument("a ring of {} entries lists {} chains", layout_.size, waiting);
  return OkStatus();
}

StatusOr<bool> Virtqueue::Pop(DescriptorChain& chain) {
  if (next_available_ == available_end_) TRY(LoadAvailableEnd());
  if (next_available_ == available_end_) return false;
  const uint64_t entry = kEntriesOffset + 2 * (next_available_ % layout_.size);
  chain.head = TRY(memory_->LoadAcquire(layout_.available + entry));
  TRY(ReadChain(chain));
  ++next_available_;
  return true;
}

void Virtqueue::Unpop() { --next_available_; }

StatusOr<Virtqueue::Descriptor> Virtqueue::ReadDescriptor(const Table& table,
                                                          uint32_t index) const {
  if (index >= table.size)
    return InvalidArgument("descriptor {} of a table of {}", index, table.size);
  uint8_t bytes[kDescriptorSize];
  TRY(memory_->Read(table.address + kDescriptorSize * index, bytes));
  return Descriptor{LoadLittle<uint64_t>(bytes), LoadLittle<uint32_t>(bytes + 8),
                    LoadLittle<uint16_t>(bytes + 12), LoadLittle<uint16_t>(bytes + 14)};
}

StatusOr<Virtqueue::Table> Virtqueue::IndirectTable(const Descriptor& descriptor) const {
  if (!layout_.indirect) return InvalidArgument("an indirect descriptor, which was not agreed on");
  if ((descriptor.flags & kFlagNext) != 0)
    return InvalidArgument("an indirect descriptor that is not the last of its chain");
  const uint32_t count = descriptor.size / kDescriptorSize;
  if (descriptor.size % kDescriptorSize != 0 || count == 0 || count > layout_.size)
    return InvalidArgument("an indirect table of {} bytes", descriptor.size);
  return Table{descriptor.address, count};
}

Status Virtqueue::ReadChain(DescriptorChain& chain) const {
  chain.readable.clear();
  chain.writable.clear();
  Table table{layout_.descriptors, layout_.size};
  bool indirect = false;
  uint32_t index = chain.head;
  for (size_t length = 1;; ++length) {
    // Also what ends a chain that runs in a circle. Planted 2: nothing does.
    if (length > kMaxChain && !PLANTED(2))
      return InvalidArgument("a chain of more than {} descriptors", kMaxChain);
    const Descriptor descriptor = TRY(ReadDescriptor(table, index));
    if ((descriptor.flags & kFlagIndirect) != 0) {
      if (indirect) return InvalidArgument("an indirect table inside of another");
      table = TRY(IndirectTable(descriptor));
      indirect = true;
      index = 0;
      continue;
    }
    const bool writable = (descriptor.flags & kFlagWrite) != 0;
    if (!writable && !chain.writable.empty())
      return InvalidArgument("a chain whose readable part comes after its writable part");
    (writable ? chain.writable : chain.readable).push_back({descriptor.address, descriptor.size});
    if ((descriptor.flags & kFlagNext) == 0) return OkStatus();
    index = descriptor.next;
  }
}

Status Virtqueue::Push(uint16_t head, uint32_t written) {
  uint8_t entry[kUsedEntrySize];
  const uint32_t fields[] = {htole32(head), htole32(written)};
  std::memcpy(entry, fields, sizeof entry);
  const uint64_t slot = used_end_ % layout_.size;
  TRY(memory_->Write(layout_.used + kEntriesOffset + kUsedEntrySize * slot, entry));
  ++used_end_;
  return OkStatus();
}

StatusOr<bool> Virtqueue::Publish() {
  if (used_end_ == published_) return false;
  const uint16_t before = published_;
  TRY(memory_->StoreRelease(layout_.used + kIndexOffset, used_end_));
  published_ = used_end_;
  // The guest stores its wish and then looks at our index; we do the opposite. Without a full
  // barrier each could miss the other's store.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool wanted = TRY(WantsInterrupt(before));
  // After a pause nobody knows what the guest was told before: it is told once more.
  const bool first = !published_once_;
  published_once_ = true;
  return wanted || first;
}

StatusOr<bool> Virtqueue::WantsInterrupt(uint16_t published_before) const {
  if (!layout_.event_index)
    return (TRY(memory_->LoadAcquire(layout_.available)) & kNoInterrupt) == 0;
  const uint64_t used_event = layout_.available + kEntriesOffset + 2 * layout_.size;
  const uint16_t event = TRY(memory_->LoadAcquire(used_event));
  // Did our index pass the one that the guest waits for (virtio 1.1, 2.6.7.2)?
  return static_cast<uint16_t>(published_ - event - 1) <
         static_cast<uint16_t>(published_ - published_before);
}

StatusOr<bool> Virtqueue::AskForKick() {
  // Without event indexes every chain is kicked for, as we never say that we want none.
  if (layout_.event_index) {
    const uint64_t event = layout_.used + kEntriesOffset + kUsedEntrySize * layout_.size;
    TRY(memory_->StoreRelease(event, next_available_));
  }
  std::atomic_thread_fence(std::memory_order_seq_cst);
  TRY(LoadAvailableEnd());
  return next_available_ != available_end_;
}

}  // namespace capsem::process
