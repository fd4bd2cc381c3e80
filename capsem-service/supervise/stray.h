// A process of a machine that is not our child: QEMU, which is capsem-process's, or a
// capsem-process that an earlier service has left. It is held by a pidfd, opened first and proved
// second, so that a reused pid is never hit. Owned by process_host; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>
#include <sys/types.h>

#include <memory>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::service {

class Stray {
 public:
  // `on_gone` comes once, from the loop. NotFound: no such process. FailedPrecondition: not a child
  // of `parent`.
  static StatusOr<std::unique_ptr<Stray>> Hold(Loop& loop, pid_t pid, pid_t parent,
                                               absl::AnyInvocable<void()> on_gone);
  // One that was proved already: `pidfd` is of it (base/process_id).
  static std::unique_ptr<Stray> Of(Loop& loop, pid_t pid, UniqueFd pidfd,
                                   absl::AnyInvocable<void()> on_gone);
  Stray(const Stray&) = delete;
  Stray& operator=(const Stray&) = delete;

  pid_t pid() const { return pid_; }
  bool gone() const { return gone_; }
  void Kill();

 private:
  Stray(Loop& loop, pid_t pid, UniqueFd pidfd, absl::AnyInvocable<void()> on_gone);
  void OnReadable();

  const pid_t pid_;
  const UniqueFd pidfd_;
  absl::AnyInvocable<void()> on_gone_;
  bool gone_ = false;
  FdWatch watch_;  // after pidfd_: destroyed first
};

}  // namespace capsem::service
