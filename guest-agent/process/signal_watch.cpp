#include "process/signal_watch.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace capsem::agent {

StatusOr<std::unique_ptr<SignalWatch>> SignalWatch::Create(Loop& loop,
                                                           std::initializer_list<int> signals,
                                                           absl::AnyInvocable<void()> heard) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return FromErrno("block signals");
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return FromErrno("listen for signals");
  return std::unique_ptr<SignalWatch>(new SignalWatch(loop, std::move(fd), std::move(heard)));
}

SignalWatch::SignalWatch(Loop& loop, UniqueFd fd, absl::AnyInvocable<void()> heard)
    : fd_(std::move(fd)),
      heard_(std::move(heard)),
      watch_(loop, fd_.get(), [this](int) { OnReadable(); }) {
  watch_.Want(FdWatch::kReadable);
}

void SignalWatch::OnReadable() {
  signalfd_siginfo taken;
  while (read(fd_.get(), &taken, sizeof taken) == sizeof taken) heard_();
}

}  // namespace capsem::agent
