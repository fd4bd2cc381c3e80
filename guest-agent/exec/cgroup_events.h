// Hears when no process is left in a cgroup and below it (cgroup.events, populated). Cancelled by
// its destructor; on the loop.
#pragma once

#include <absl/functional/any_invocable.h>

#include <optional>

#include "base/fd_watch.h"
#include "base/unique_fd.h"
#include "base/weak.h"

namespace capsem::agent {

// Whether a process lives in a group or below it; zombies do not count. nullopt: it cannot be said,
// for the group was removed under us. `events`: its cgroup.events.
std::optional<bool> Populated(int events);

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
