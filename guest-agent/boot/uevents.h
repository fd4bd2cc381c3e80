// The kernel's news about devices (netlink, KOBJECT_UEVENT): what the agent waits for instead of
// asking again and again. Opened before the first module is loaded, so that nothing is missed
// between looking and waiting.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::agent {

struct Uevent {
  std::string action;     // add, bind, remove, …
  std::string subsystem;  // block, virtio, …
  std::string driver;     // of a bind
};

// A datagram is NUL-separated: "add@/devices/…", then KEY=value pairs. Unknown keys are skipped.
Uevent ParseUevent(std::string_view datagram);

class Uevents {
 public:
  static StatusOr<Uevents> Open();

  int fd() const { return fd_.get(); }
  // Takes what the kernel has queued, one event for each call; NotFound: nothing is queued. A queue
  // that overflowed is told as an event with no fields: anything may have happened.
  StatusOr<Uevent> Next();
  // For boot alone, before there is a loop: blocks until an event is queued.
  Status Wait(std::chrono::milliseconds limit);

 private:
  explicit Uevents(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace capsem::agent
