// For how long this process goes on with nobody behind it (architecture §2).
//
//   unheld ──Hold──► held ──last Hold ends──► running out ──► over
//      │               ▲──────────Hold────────────┘
//      └──parent gone──► over
//
// Before the first Hold the process dies with its parent: nobody else knows of it yet. From then on
// only the lease counts, whoever the parent is. `over` is told once, from the loop. Loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>

#include "base/loop.h"
#include "base/timer.h"

namespace capsem::process {

class Lease {
 public:
  // `length` 0: it is over as soon as the last Hold ends.
  Lease(Loop& loop, std::chrono::milliseconds length, absl::AnyInvocable<void()> on_over);

  void Hold();
  void Release();  // once for each Hold
  void ParentGone();
  // The process leaves for another reason: nothing is told from here on.
  void Cancel();

 private:
  void Over();

  const std::chrono::milliseconds length_;
  absl::AnyInvocable<void()> on_over_;  // null: told, or cancelled
  size_t holds_ = 0;
  bool held_ = false;  // once
  Timer timer_;
};

}  // namespace capsem::process
