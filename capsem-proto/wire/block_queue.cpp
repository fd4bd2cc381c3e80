#include "wire/block_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace capsem::wire {

BlockPool::Block BlockPool::Take() {
  if (blocks_.empty()) return Block(new char[kBlock]());
  Block block = std::move(blocks_.back());
  blocks_.pop_back();
  return block;
}

void BlockPool::Give(Block block) {
  if (blocks_.size() < kKept) blocks_.push_back(std::move(block));
}

void BlockQueue::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::span<char> room = Room(bytes.size());
    std::memcpy(room.data(), bytes.data(), room.size());
    Extend(room.size());
    bytes.remove_prefix(room.size());
  }
}

std::span<char> BlockQueue::Room(size_t wanted) {
  if (blocks_.empty() || blocks_.back().size == kBlock) blocks_.emplace_back();
  Block& block = blocks_.back();
  const size_t size = std::min(wanted, kBlock - block.size);
  Grow(block, block.size + size);
  return {block.bytes.get() + block.size, size};
}

void BlockQueue::Extend(size_t bytes) {
  blocks_.back().size += bytes;
  size_ += bytes;
}

void BlockQueue::Grow(Block& block, size_t needed) {
  if (needed <= block.capacity) return;
  const bool whole = needed > kBlock / 2;
  const size_t capacity = whole ? kBlock : std::max(2 * block.size, needed);
  BlockPool::Block larger = whole ? pool_->Take() : BlockPool::Block(new char[capacity]);
  if (block.size > 0) std::memcpy(larger.get(), block.bytes.get(), block.size);
  block.bytes = std::move(larger);
  block.capacity = capacity;
}

void BlockQueue::Release(Block& block) {
  if (block.capacity == kBlock) pool_->Give(std::move(block.bytes));
}

void BlockQueue::Drop(size_t bytes) {
  size_ -= bytes;
  start_ += bytes;
  // Of an empty queue nothing stays, the last block neither.
  const size_t gone = size_ == 0 ? blocks_.size() : start_ / kBlock;
  const auto kept = blocks_.begin() + static_cast<ptrdiff_t>(gone);
  for (auto block = blocks_.begin(); block != kept; ++block) Release(*block);
  blocks_.erase(blocks_.begin(), kept);
  start_ = size_ == 0 ? 0 : start_ % kBlock;
}

std::string_view BlockQueue::From(size_t offset) const {
  if (offset >= size_) return {};
  const size_t at = start_ + offset;
  const Block& block = blocks_[at / kBlock];
  return std::string_view(block.bytes.get(), block.size).substr(at % kBlock);
}

std::string BlockQueue::All() const {
  std::string all;
  all.reserve(size_);
  while (all.size() < size_) all += From(all.size());
  return all;
}

}  // namespace capsem::wire
