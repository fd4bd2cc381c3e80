#include "interrupts.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace capsem::cli {
namespace {

// The handler runs on whichever thread the kernel picks, and may only write.
int write_end = -1;

void OnSignal(int) {
  const int error = errno;
  [[maybe_unused]] const ssize_t told = write(write_end, "", 1);
  errno = error;
}

}  // namespace

StatusOr<std::unique_ptr<Interrupts>> Interrupts::Create(Loop& loop,
                                                         absl::AnyInvocable<void()> on_interrupt) {
  ENSURE(write_end < 0);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return FromErrno("pipe");
  write_end = ends[1];
  struct sigaction before {};
  sigaction(SIGINT, nullptr, &before);
  if (before.sa_handler != SIG_IGN) {
    struct sigaction ours {};
    ours.sa_handler = OnSignal;
    ours.sa_flags = SA_RESTART;
    sigaction(SIGINT, &ours, nullptr);
  }
  return std::unique_ptr<Interrupts>(
      new Interrupts(loop, UniqueFd(ends[0]), std::move(on_interrupt)));
}

Interrupts::Interrupts(Loop& loop, UniqueFd read_end, absl::AnyInvocable<void()> on_interrupt)
    : on_interrupt_(std::move(on_interrupt)),
      read_end_(std::move(read_end)),
      watch_(loop, read_end_.get(), [this](int) { OnReadable(); }) {
  watch_.Want(FdWatch::kReadable);
}

Interrupts::~Interrupts() {
  struct sigaction now {};
  sigaction(SIGINT, nullptr, &now);
  if (now.sa_handler == OnSignal) signal(SIGINT, SIG_DFL);
  close(std::exchange(write_end, -1));
}

void Interrupts::OnReadable() {
  char byte;
  if (read(read_end_.get(), &byte, 1) == 1) on_interrupt_();
}

}  // namespace capsem::cli
