// A signal as an event of the loop. While it exists, the signal does not end the program; one per
// signal and program. A signal that was ignored from the start (SIGINT to a job in the background
// of a script) stays ignored.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::cli {

class SignalWatch {
 public:
  static StatusOr<std::unique_ptr<SignalWatch>> Create(Loop& loop, int signal,
                                                       absl::AnyInvocable<void()> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  SignalWatch(Loop& loop, int signal, UniqueFd read_end, absl::AnyInvocable<void()> on_signal);
  void OnReadable();

  const int signal_;
  absl::AnyInvocable<void()> on_signal_;
  UniqueFd read_end_;
  FdWatch watch_;  // after read_end_: destroyed first
};

}  // namespace capsem::cli
