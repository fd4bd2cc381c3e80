#include "wire/block_queue.h"

#include <algorithm>
#include <utility>

namespace capsem::wire {

void BlockQueue::Append(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (blocks_.empty() || blocks_.back().size() == kBlock) {
      blocks_.emplace_back();
      if (!spare_.empty()) {
        blocks_.back() = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    std::string& block = blocks_.back();
    const std::string_view piece = bytes.substr(0, kBlock - block.size());
    // At most doubled, so that a channel of few bytes keeps few.
    const size_t needed = block.size() + piece.size();
    if (needed > block.capacity()) block.reserve(std::clamp(2 * block.size(), needed, kBlock));
    block.append(piece);
    bytes.remove_prefix(piece.size());
  }
}

void BlockQueue::Drop(size_t bytes) {
  size_ -= bytes;
  start_ += bytes;
  if (size_ == 0) {
    // A thousand idle channels must not keep their peaks.
    blocks_ = {};
    spare_ = {};
    start_ = 0;
    return;
  }
  const auto kept = blocks_.begin() + static_cast<ptrdiff_t>(start_ / kBlock);
  for (auto block = blocks_.begin(); block != kept; ++block) {
    block->clear();
    spare_.push_back(std::move(*block));
  }
  blocks_.erase(blocks_.begin(), kept);
  start_ %= kBlock;
}

std::string_view BlockQueue::From(size_t offset) const {
  if (offset >= size_) return {};
  const size_t at = start_ + offset;
  return std::string_view(blocks_[at / kBlock]).substr(at % kBlock);
}

std::string BlockQueue::All() const {
  std::string all;
  all.reserve(size_);
  while (all.size() < size_) all += From(all.size());
  return all;
}

}  // namespace capsem::wire
