#include "signal_watch.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace capsem::service {
namespace {

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

void SignalWatch::Block() {
  const sigset_t signals = EndSignals();
  ENSURE(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  // A peer that goes away is an error of that write, not the end of the daemon.
  signal(SIGPIPE, SIG_IGN);
}

StatusOr<std::unique_ptr<SignalWatch>> SignalWatch::Create(Loop& loop,
                                                           absl::AnyInvocable<void()> on_end) {
  const sigset_t signals = EndSignals();
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return FromErrno("signalfd");
  return std::unique_ptr<SignalWatch>(new SignalWatch(loop, std::move(fd), std::move(on_end)));
}

SignalWatch::SignalWatch(Loop& loop, UniqueFd fd, absl::AnyInvocable<void()> on_end)
    : fd_(std::move(fd)),
      on_end_(std::move(on_end)),
      watch_(loop, fd_.get(), [this](int) { OnReadable(); }) {
  watch_.Want(FdWatch::kReadable);
}

void SignalWatch::OnReadable() {
  signalfd_siginfo info{};
  if (read(fd_.get(), &info, sizeof info) == sizeof info) on_end_();
}

}  // namespace capsem::service
