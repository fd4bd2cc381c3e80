#include "signal_watch.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace capsem::cli {
namespace {

// Of each signal's pipe, plus 1: 0 = there is none. The handler runs on whichever thread the kernel
// picks, and may only write.
int write_ends[NSIG];

void OnSignal(int signal) {
  const int error = errno;
  [[maybe_unused]] const ssize_t told = write(write_ends[signal] - 1, "", 1);
  errno = error;
}

}  // namespace

StatusOr<std::unique_ptr<SignalWatch>> SignalWatch::Create(Loop& loop, int signal,
                                                           absl::AnyInvocable<void()> on_signal) {
  ENSURE(write_ends[signal] == 0);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return FromErrno("pipe");
  write_ends[signal] = ends[1] + 1;
  struct sigaction before {};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler != SIG_IGN) {
    struct sigaction ours {};
    ours.sa_handler = OnSignal;
    ours.sa_flags = SA_RESTART;
    sigaction(signal, &ours, nullptr);
  }
  return std::unique_ptr<SignalWatch>(
      new SignalWatch(loop, signal, UniqueFd(ends[0]), std::move(on_signal)));
}

SignalWatch::SignalWatch(Loop& loop, int signal, UniqueFd read_end,
                         absl::AnyInvocable<void()> on_signal)
    : signal_(signal),
      on_signal_(std::move(on_signal)),
      read_end_(std::move(read_end)),
      watch_(loop, read_end_.get(), [this](int) { OnReadable(); }) {
  watch_.Want(FdWatch::kReadable);
}

SignalWatch::~SignalWatch() {
  struct sigaction now {};
  sigaction(signal_, nullptr, &now);
  if (now.sa_handler == OnSignal) signal(signal_, SIG_DFL);
  close(std::exchange(write_ends[signal_], 0) - 1);
}

void SignalWatch::OnReadable() {
  char byte;
  if (read(read_end_.get(), &byte, 1) == 1) on_signal_();
}

}  // namespace capsem::cli
