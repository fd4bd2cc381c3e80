// "Am I still the child of the process I was told of?", and an event when that process is gone.
// Owned by whoever depends on the parent, on the loop's thread; nothing is polled.
#pragma once

#include <absl/functional/any_invocable.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string_view>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem {

class ParentWatch {
 public:
  // `on_gone` comes once, from the loop, when the parent has died in any way, and may destroy this.
  // FailedPrecondition: `expected_parent` is not our parent, or not any more; nothing comes then.
  static StatusOr<std::unique_ptr<ParentWatch>> Create(Loop& loop, pid_t expected_parent,
                                                       absl::AnyInvocable<void()> on_gone);
  ParentWatch(const ParentWatch&) = delete;
  ParentWatch& operator=(const ParentWatch&) = delete;

 private:
  ParentWatch(Loop& loop, UniqueFd pidfd, absl::AnyInvocable<void()> on_gone);

  UniqueFd pidfd_;
  absl::AnyInvocable<void()> on_gone_;
  FdWatch watch_;  // after pidfd_: destroyed first
};

// The value of --parent-pid; nullopt for anything but the decimal pid of a possible parent. 1 is
// none: an orphan's parent is 1, so being its child proves nothing.
std::optional<pid_t> ParsePid(std::string_view text);

}  // namespace capsem
