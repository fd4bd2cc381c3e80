// Signals of the daemon as events of the loop: SIGTERM and SIGINT ask it to end, SIGHUP to read its
// configuration again. A SIGHUP that says that its terminal is gone asks it to end, too. Owned by
// main.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>

#include "base/fd_watch.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::service {

class SignalWatch {
 public:
  // Before any thread is made, so that all of them leave these signals to the loop. Children get
  // them back (base/child).
  static void Block();
  struct Events {
    absl::AnyInvocable<void()> on_end;
    absl::AnyInvocable<void()> on_reload;
  };
  enum class Hangup { kReloads, kEnds };
  // What SIGHUP means to a program with this stderr.
  static Hangup HangupOf(int stderr_fd);
  // Events come from the loop.
  static StatusOr<std::unique_ptr<SignalWatch>> Create(Loop& loop, Hangup hangup, Events events);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  SignalWatch(Loop& loop, UniqueFd fd, Hangup hangup, Events events);
  void OnReadable();

  const UniqueFd fd_;
  const Hangup hangup_;
  Events events_;
  FdWatch watch_;  // after fd_: destroyed first
};

}  // namespace capsem::service
