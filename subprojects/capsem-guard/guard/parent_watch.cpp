// Platform: pidfd; elsewhere: Create fails with the kernel's error (Linux before 5.3).
#include "guard/parent_watch.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>

namespace capsem {

StatusOr<std::unique_ptr<ParentWatch>> ParentWatch::Create(Loop& loop, pid_t expected_parent,
                                                           absl::AnyInvocable<void()> on_gone) {
  if (expected_parent <= 1) {
    return FailedPrecondition("process {} is nobody's parent by choice", expected_parent);
  }
  // First the descriptor, then the question. A pid can be given to a stranger, but while it is our
  // parent's it is not: if it is our parent now, it was when the descriptor was opened. The other
  // way round the parent could die in between, and the descriptor would be of whoever came next.
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, expected_parent, 0)));
  const Status opened = pidfd.valid() ? OkStatus() : FromErrno("watch process {}", expected_parent);
  if (getppid() != expected_parent) {
    return FailedPrecondition("this process is a child of {}, not of {}", getppid(),
                              expected_parent);
  }
  TRY(Status(opened));
  return std::unique_ptr<ParentWatch>(new ParentWatch(loop, std::move(pidfd), std::move(on_gone)));
}

ParentWatch::ParentWatch(Loop& loop, UniqueFd pidfd, absl::AnyInvocable<void()> on_gone)
    : pidfd_(std::move(pidfd)),
      on_gone_(std::move(on_gone)),
      // Readable = it has ended, a zombie included: nobody needs to reap it for us to know.
      watch_(loop, pidfd_.get(), [this](int) {
        watch_.Want(0);
        auto gone = std::move(on_gone_);
        gone();
      }) {
  watch_.Want(FdWatch::kReadable);
}

std::optional<pid_t> ParsePid(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || end != text.data() + text.size() || pid <= 1) return std::nullopt;
  return pid;
}

}  // namespace capsem
