// A real loop for tests that ends by itself: RunUntil turns it until a condition holds or ten
// seconds are over.
#pragma once

#include <chrono>
#include <functional>

#include "base/loop.h"
#include "base/timer.h"

namespace capsem {

class TestLoop : public Loop {
 public:
  // True when `condition` held in time. It is asked after every turn of the loop.
  bool RunUntil(const std::function<bool()>& condition) {
    Timer limit(*this);
    bool over = false;
    limit.Start(std::chrono::seconds(10), [&over] { over = true; });
    while (!condition() && !over) uv_run(uv(), UV_RUN_ONCE);
    return condition();
  }
  // Runs what is ready now and does not wait.
  void RunReady() {
    for (int turn = 0; turn < 16; ++turn) uv_run(uv(), UV_RUN_NOWAIT);
  }
};

}  // namespace capsem
