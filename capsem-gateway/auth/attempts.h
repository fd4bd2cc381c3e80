// How often a wrong token may be tried: so many failures in a minute are told so, the next ones
// only that there were too many. One count for all, for on the loopback interface nobody has an
// address of their own. The right token never comes here. Pure.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace capsem::gateway {

class Attempts {
 public:
  static constexpr int kLimit = 20;
  static constexpr std::chrono::seconds kWindow{60};

  // A failure now; true: there have been more than the limit since the window began. The first one
  // after a window begins the next.
  bool Fail(Clock::TimePoint now);

 private:
  Clock::TimePoint since_{};
  int failures_ = 0;
};

}  // namespace capsem::gateway
