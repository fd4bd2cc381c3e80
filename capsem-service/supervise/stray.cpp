// Platform: pidfd; elsewhere: Hold fails with the kernel's error (Linux before 5.4), and a
// machine's end is then seen by its capsem-process alone.
#include "supervise/stray.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/process_id.h"

namespace capsem::service {

StatusOr<std::unique_ptr<Stray>> Stray::Hold(Loop& loop, pid_t pid, pid_t parent,
                                             absl::AnyInvocable<void()> on_gone) {
  if (pid <= 1) return NotFound("there is no machine with pid {}", pid);
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid() && errno == ESRCH) return NotFound("process {} is gone", pid);
  if (!pidfd.valid()) return FromErrno("hold process {}", pid);
  const auto stat = StatOf(pid);
  if (!stat || stat->parent != parent) {
    return FailedPrecondition("process {} is not a child of capsem-process {}", pid, parent);
  }
  return std::unique_ptr<Stray>(new Stray(loop, pid, std::move(pidfd), std::move(on_gone)));
}

std::unique_ptr<Stray> Stray::Of(Loop& loop, pid_t pid, UniqueFd pidfd,
                                 absl::AnyInvocable<void()> on_gone) {
  return std::unique_ptr<Stray>(new Stray(loop, pid, std::move(pidfd), std::move(on_gone)));
}

Stray::Stray(Loop& loop, pid_t pid, UniqueFd pidfd, absl::AnyInvocable<void()> on_gone)
    : pid_(pid),
      pidfd_(std::move(pidfd)),
      on_gone_(std::move(on_gone)),
      watch_(loop, pidfd_.get(), [this](int) { OnReadable(); }) {
  watch_.Want(FdWatch::kReadable);
}

void Stray::Kill() { syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0); }

void Stray::OnReadable() {
  gone_ = true;
  watch_.Want(FdWatch::kNone);
  auto on_gone = std::move(on_gone_);  // it may destroy this
  on_gone();
}

}  // namespace capsem::service
