// Signals to the agent itself, heard on the loop through a descriptor; blocked everywhere else.
#pragma once

#include <absl/functional/any_invocable.h>

#include <initializer_list>
#include <memory>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::agent {

class SignalWatch {
 public:
  static StatusOr<std::unique_ptr<SignalWatch>> Create(Loop& loop,
                                                       std::initializer_list<int> signals,
                                                       absl::AnyInvocable<void()> heard);

 private:
  SignalWatch(Loop& loop, UniqueFd fd, absl::AnyInvocable<void()> heard);
  void OnReadable();

  UniqueFd fd_;
  absl::AnyInvocable<void()> heard_;
  FdWatch watch_;
};

}  // namespace capsem::agent
