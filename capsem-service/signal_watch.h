// Signals that ask the daemon to end, as events of the loop. Owned by main.
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
  // Each SIGTERM, SIGINT and SIGHUP calls `on_end`, from the loop.
  static StatusOr<std::unique_ptr<SignalWatch>> Create(Loop& loop,
                                                       absl::AnyInvocable<void()> on_end);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  SignalWatch(Loop& loop, UniqueFd fd, absl::AnyInvocable<void()> on_end);
  void OnReadable();

  const UniqueFd fd_;
  absl::AnyInvocable<void()> on_end_;
  FdWatch watch_;  // after fd_: destroyed first
};

}  // namespace capsem::service
