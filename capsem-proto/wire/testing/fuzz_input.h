// The bytes of a fuzz input, taken from the front; zeros when there are no more.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace capsem::wire {

class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
  bool empty() const { return rest_.empty(); }
  std::string_view Bytes(size_t most) {
    const std::string_view taken = rest_.substr(0, most);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  uint8_t Byte() {
    const std::string_view taken = Bytes(1);
    return taken.empty() ? 0 : static_cast<uint8_t>(taken[0]);
  }
  size_t Number() {
    const size_t high = Byte();
    return high << 8 | Byte();
  }

 private:
  std::string_view rest_;
};

}  // namespace capsem::wire
