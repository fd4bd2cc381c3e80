// ExecGroups where there is no cgroup2: a command is its process group. A process that leaves it
// (setsid) outlives Kill, and what outlives the first process is not waited for.
#pragma once

#include <set>

#include "base/loop.h"
#include "exec/exec_group.h"

namespace capsem::agent {

class ProcessGroups : public ExecGroups {
 public:
  explicit ProcessGroups(Loop& loop) : loop_(loop) {}

  StatusOr<std::unique_ptr<ExecGroup>> Create() override;
  void KillAll() override;
  void OnEmpty(absl::AnyInvocable<void()> empty) override;

 private:
  class Group;
  void Forget(pid_t first);

  Loop& loop_;
  std::set<pid_t> living_;  // first processes that have not been collected
  absl::AnyInvocable<void()> empty_;
};

}  // namespace capsem::agent
