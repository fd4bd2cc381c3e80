// What one channel has written and its peer has not yet acknowledged. In blocks, so that no byte
// moves when those before it go, and a block and its header fill one packet of vsock. Internal to
// wire/mux.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "wire/limits.h"

namespace capsem::wire {

class BlockQueue {
 public:
  static constexpr size_t kBlock = kMuxBlock;

  void Append(std::string_view bytes);
  void Drop(size_t bytes);
  // From `offset` on, as far as one block goes; empty at the end.
  std::string_view From(size_t offset) const;
  std::string All() const;
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  std::vector<std::string> blocks_;  // all full but the last
  std::vector<std::string> spare_;   // their memory, until the queue is empty
  size_t start_ = 0;                 // in the first block
  size_t size_ = 0;
};

}  // namespace capsem::wire
