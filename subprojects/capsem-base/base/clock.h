// The only way to ask the time. Monotonic for durations, wall clock for records that people read.
#pragma once

#include <chrono>
#include <cstdint>

namespace capsem {

class Clock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static TimePoint Now() { return std::chrono::steady_clock::now(); }
  static int64_t WallMillis() {
    using std::chrono::duration_cast;
    using std::chrono::milliseconds;
    return duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
};

}  // namespace capsem
