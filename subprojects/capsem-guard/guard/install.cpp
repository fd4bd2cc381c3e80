#include "guard/install.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"

namespace capsem {
namespace {

// Written once, before the handler is in place.
pid_t guarded_parent = 0;

// A thread of the parent that ends, or anybody with our uid, can cause the signal, too: only the
// parent's real end counts.
void OnParentSignal(int) {
  if (getppid() != guarded_parent) _exit(0);
}

// The kernel's own message, for the time when the loop is busy or stuck. A real-time signal: no
// library uses it, and no terminal sends it.
Status ArmDeathSignal(pid_t parent) {
  guarded_parent = parent;
  struct sigaction action {};
  action.sa_handler = OnParentSignal;
  action.sa_flags = SA_RESTART;
  if (sigaction(SIGRTMIN, &action, nullptr) != 0) return FromErrno("sigaction");
  // It may have been blocked by whoever started us.
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGRTMIN);
  if (sigprocmask(SIG_UNBLOCK, &wanted, nullptr) != 0) return FromErrno("sigprocmask");
  if (prctl(PR_SET_PDEATHSIG, SIGRTMIN) != 0) return FromErrno("PR_SET_PDEATHSIG");
  return OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<Guard>> Guard::Install(Loop& loop, const GuardSpec& spec) {
  if (!spec.parent) {
    log::Info("not started by the service: leaving");
    return nullptr;
  }
  TRY(ArmDeathSignal(*spec.parent));
  // After the signal is armed: a parent that dies before is found gone here, one that dies later
  // sends it.
  auto parent = ParentWatch::Create(loop, *spec.parent, [] { _exit(0); });
  if (absl::IsFailedPrecondition(parent.status())) {
    log::Info("the parent is not there: leaving", {{"reason", Message(parent.status())}});
    return nullptr;
  }
  TRY(Status(parent.status()));
  // The lock comes second: whoever is nobody's child never touches the file.
  std::optional<SingleInstance> instance;
  if (!spec.lock_path.empty()) {
    instance = TRY(SingleInstance::Acquire(spec.lock_path));
    if (!instance) {
      log::Info("another one is at work: leaving", {{"lock", spec.lock_path}});
      return nullptr;
    }
  }
  return std::unique_ptr<Guard>(new Guard(*std::move(parent), std::move(instance)));
}

}  // namespace capsem
