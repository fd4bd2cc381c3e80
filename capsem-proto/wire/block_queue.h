// What one channel has written and its peer has not yet acknowledged. In blocks, so that no byte
// moves when those before it go, and a block and its header fill one packet of vsock. Internal to
// wire/mux.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/limits.h"

namespace capsem::wire {

// Whole blocks that no queue needs now, for all queues of a Mux: fresh memory is what costs an
// emulated guest most. Some are kept; a thousand channels must not keep their peaks.
class BlockPool {
 public:
  static constexpr size_t kBlock = kMuxBlock;
  static constexpr size_t kKept = 16;
  using Block = std::unique_ptr<char[]>;

  Block Take();
  void Give(Block block);

 private:
  std::vector<Block> blocks_;
};

class BlockQueue {
 public:
  static constexpr size_t kBlock = BlockPool::kBlock;

  // `pool` outlives it.
  explicit BlockQueue(BlockPool& pool) : pool_(&pool) {}

  void Append(std::string_view bytes);
  // Where the next bytes will lie: one at least and `wanted` at most, as far as one block goes.
  // Valid until the next change.
  std::span<char> Room(size_t wanted);
  // So many of them are there now.
  void Extend(size_t bytes);
  void Drop(size_t bytes);
  // From `offset` on, as far as one block goes; empty at the end.
  std::string_view From(size_t offset) const;
  std::string All() const;
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Block {
    BlockPool::Block bytes;
    size_t size = 0;
    size_t capacity = 0;  // kBlock: of the pool
  };
  // To hold `needed` bytes: at most twice as many, so that a channel of few bytes keeps few.
  void Grow(Block& block, size_t needed);
  void Release(Block& block);

  BlockPool* pool_;
  std::vector<Block> blocks_;  // all full but the last
  size_t start_ = 0;           // in the first block
  size_t size_ = 0;
};

}  // namespace capsem::wire
