// Readiness of a descriptor, on the loop; cancelled by its destructor. Does not own the descriptor,
// and must be destroyed before the descriptor is closed.
#pragma once

#include <absl/functional/any_invocable.h>

#include "base/loop.h"

namespace capsem {

class FdWatch {
 public:
  enum Events : int { kNone = 0, kReadable = UV_READABLE, kWritable = UV_WRITABLE };
  // `ready` hears the events that hold (kReadable also for end of file and errors: read to find
  // out).
  FdWatch(Loop& loop, int fd, absl::AnyInvocable<void(int events)> ready);
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  // Which events are wanted from now on; 0 pauses. Cheap when nothing changes.
  void Want(int events);

 private:
  struct Handle;
  static void OnPoll(uv_poll_t* poll, int status, int ready);
  Handle* handle_;
};

}  // namespace capsem
