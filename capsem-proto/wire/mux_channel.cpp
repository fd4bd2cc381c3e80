#include "wire/mux_channel.h"

#include <algorithm>
#include <utility>

namespace capsem::wire {
namespace {

// An empty queue gives larger memory back: a thousand idle channels must not keep their peaks.
constexpr size_t kKeptCapacity = 4 * 1024;

}  // namespace

void ByteQueue::Append(std::string_view bytes) {
  Keep();
  data_.append(bytes);
}

void ByteQueue::Lend(std::string_view bytes) {
  if (!empty()) return Append(bytes);
  lent_ = bytes;
}

void ByteQueue::Keep() { data_.append(std::exchange(lent_, {})); }

void ByteQueue::Drop(size_t bytes) {
  if (!lent_.empty()) return lent_.remove_prefix(bytes);
  start_ += bytes;
  if (start_ == data_.size()) {
    start_ = 0;
    data_.clear();
    if (data_.capacity() > kKeptCapacity) data_.shrink_to_fit();
    return;
  }
  // What is left moves only when at least as much was dropped: each byte moves once on average.
  if (start_ < size()) return;
  data_.erase(0, start_);
  start_ = 0;
}

void MuxChannel::Acknowledge(uint64_t offset) {
  fin_acked = offset > written();
  const uint64_t bytes = std::min(offset, written()) - acked;
  out.Drop(bytes);
  acked += bytes;
}

}  // namespace capsem::wire
