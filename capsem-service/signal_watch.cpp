#include "signal_watch.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace capsem::service {
namespace {

sigset_t OurSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

}  // namespace

void SignalWatch::Block() {
  const sigset_t signals = OurSignals();
  ENSURE(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  // A peer that goes away is an error of that write, not the end of the daemon.
  signal(SIGPIPE, SIG_IGN);
}

SignalWatch::Hangup SignalWatch::HangupOf(int stderr_fd) {
  return isatty(stderr_fd) == 1 ? Hangup::kEnds : Hangup::kReloads;
}

StatusOr<std::unique_ptr<SignalWatch>> SignalWatch::Create(Loop& loop, Hangup hangup,
                                                           Events events) {
  const sigset_t signals = OurSignals();
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return FromErrno("signalfd");
  return std::unique_ptr<SignalWatch>(
      new SignalWatch(loop, std::move(fd), hangup, std::move(events)));
}

SignalWatch::SignalWatch(Loop& loop, UniqueFd fd, Hangup hangup, Events events)
    : fd_(std::move(fd)),
      hangup_(hangup),
      events_(std::move(events)),
      watch_(loop, fd_.get(), [this](int) { OnReadable(); }) {
  watch_.Want(FdWatch::kReadable);
}

void SignalWatch::OnReadable() {
  signalfd_siginfo info{};
  if (read(fd_.get(), &info, sizeof info) != sizeof info) return;
  const bool reload = info.ssi_signo == SIGHUP && hangup_ == Hangup::kReloads;
  reload ? events_.on_reload() : events_.on_end();
}

}  // namespace capsem::service
