// How long to wait before something that has failed is tried again: twice as long each time, up to
// a bound. Pure.
#pragma once

#include <chrono>

namespace capsem {

struct Backoff {
  std::chrono::milliseconds first;
  std::chrono::milliseconds most;

  // After so many failures in a row, from 1 on.
  std::chrono::milliseconds Delay(int failures) const;
};

}  // namespace capsem
