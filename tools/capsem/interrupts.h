// Ctrl-C as an event of the loop. While it exists, SIGINT does not end the program; one per
// program. A SIGINT that was ignored from the start (a job in the background of a script) stays
// ignored.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::cli {

class Interrupts {
 public:
  static StatusOr<std::unique_ptr<Interrupts>> Create(Loop& loop,
                                                      absl::AnyInvocable<void()> on_interrupt);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

 private:
  Interrupts(Loop& loop, UniqueFd read_end, absl::AnyInvocable<void()> on_interrupt);
  void OnReadable();

  absl::AnyInvocable<void()> on_interrupt_;
  UniqueFd read_end_;
  FdWatch watch_;  // after read_end_: destroyed first
};

}  // namespace capsem::cli
