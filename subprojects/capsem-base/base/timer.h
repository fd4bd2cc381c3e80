// A timer on the loop, one-shot or repeating; cancelled by its destructor. May be started again
// from its own callback.
#pragma once

#include <chrono>

#include "base/loop.h"

namespace capsem {

class Timer {
 public:
  explicit Timer(Loop& loop);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces what was planned before.
  void Start(std::chrono::milliseconds delay, Loop::Task task);
  void StartRepeating(std::chrono::milliseconds period, Loop::Task task);
  void Cancel();
  bool active() const;

 private:
  struct Handle;  // outlives the Timer until libuv has closed it
  Handle* handle_;
};

}  // namespace capsem
