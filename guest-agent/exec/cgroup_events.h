// Hears when no process is left in a cgroup and below it (cgroup.events, populated). Cancelled by
// its destructor; on the loop.
#pragma once

#include <absl/functional/any_invocable.h>

#include "base/fd_watch.h"
#include "base/unique_fd.h"
#include "base/weak.h"

namespace capsem::agent {

class CgroupEvents {
 public:
  // `empty` comes once, from the loop, also when nobody is there now.
  CgroupEvents(Loop& loop, int group, absl::AnyInvocable<void()> empty);

 private:
  void Look();

  UniqueFd events_;
  absl::AnyInvocable<void()> empty_;
  FdWatch watch_;  // after events_: destroyed first
  WeakOwner<CgroupEvents> weak_{this};
};

}  // namespace capsem::agent
