#include "process/reaper.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace capsem::agent {
namespace {

// A fork bomb that is killed leaves thousands at once: other work gets its turn in between.
constexpr int kReapedPerTurn = 256;

// As waitpid says it.
int WaitStatus(const siginfo_t& ended) {
  if (ended.si_code == CLD_EXITED) return W_EXITCODE(ended.si_status, 0);
  return W_EXITCODE(0, ended.si_status) | (ended.si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

}  // namespace

StatusOr<std::unique_ptr<Reaper>> Reaper::Create(Loop& loop) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &child, nullptr) != 0) return FromErrno("block SIGCHLD");
  UniqueFd signals(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return FromErrno("listen for SIGCHLD");
  return std::unique_ptr<Reaper>(new Reaper(loop, std::move(signals)));
}

Reaper::Reaper(Loop& loop, UniqueFd signals)
    : loop_(loop),
      signals_(std::move(signals)),
      watch_(loop, signals_.get(), [this](int) { OnSignal(); }) {
  watch_.Want(FdWatch::kReadable);
}

void Reaper::Watch(pid_t pid, OnExit on_exit) {
  const bool added = watched_.emplace(pid, std::move(on_exit)).second;
  ENSURE(added);
}

void Reaper::OnSignal() {
  // The signal is taken first: who ends after the look that finds nobody raises it anew.
  signalfd_siginfo taken;
  [[maybe_unused]] const ssize_t count = read(signals_.get(), &taken, sizeof taken);
  TellFirst();
  loop_.Post([self = weak_.Get()] {
    if (self) self->Collect();
  });
}

// Most end alone, and somebody waits to hear it: what the kernel does to collect one comes later.
void Reaper::TellFirst() {
  siginfo_t ended{};
  if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0) return;
  auto found = watched_.extract(ended.si_pid);
  if (found) found.mapped()(WaitStatus(ended));
}

void Reaper::Collect() {
  for (int reaped = 0; reaped < kReapedPerTurn; ++reaped) {
    int wait_status = 0;
    const pid_t pid = waitpid(-1, &wait_status, WNOHANG);
    if (pid <= 0) return;
    auto found = watched_.extract(pid);
    if (found) found.mapped()(wait_status);
  }
  loop_.Post([self = weak_.Get()] {
    if (self) self->Collect();
  });
}

}  // namespace capsem::agent
