// Collects every child that ends: the commands, our own helpers, and, as PID 1, whoever was left
// behind by a parent. One per process; nobody else waits for children.
#pragma once

#include <absl/functional/any_invocable.h>
#include <sys/types.h>

#include <map>
#include <memory>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "base/weak.h"

namespace capsem::agent {

class Reaper {
 public:
  using OnExit = absl::AnyInvocable<void(int wait_status)>;

  // Blocks SIGCHLD for the process: it is heard through a descriptor.
  static StatusOr<std::unique_ptr<Reaper>> Create(Loop& loop);
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // To be called before control returns to the loop after the fork. `on_exit` comes once, from the
  // loop.
  void Watch(pid_t pid, OnExit on_exit);
  // It may be watched anew. False: it is not watched, or has ended.
  bool Forget(pid_t pid) { return watched_.erase(pid) > 0; }

 private:
  Reaper(Loop& loop, UniqueFd signals);
  void OnSignal();
  void TellFirst();
  void Collect();

  Loop& loop_;
  UniqueFd signals_;
  std::map<pid_t, OnExit> watched_;
  FdWatch watch_;
  WeakOwner<Reaper> weak_{this};
};

}  // namespace capsem::agent
