// Something to be done once at the end of the loop's turn, however often it was asked for in it:
// when every event that was ready has been handled, and before the loop waits for the next. Costs
// no system call. Cancelled by its destructor; on the loop.
#pragma once

#include "base/loop.h"

namespace capsem {

class TurnEnd {
 public:
  TurnEnd(Loop& loop, Loop::Task task);
  ~TurnEnd();
  TurnEnd(const TurnEnd&) = delete;
  TurnEnd& operator=(const TurnEnd&) = delete;

  // The task runs once, soon; asked for by the task itself, again after the next events. The task
  // may destroy this.
  void Ask();

 private:
  struct Handle;  // outlives the TurnEnd until libuv has closed it
  Handle* handle_;
};

}  // namespace capsem
