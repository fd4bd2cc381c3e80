// Everything that one command has started, as one thing that can be killed whole: setsid, double
// fork and nohup do not leave it. In the guest that is a cgroup (cgroup_tree.h); where there is no
// cgroup2 (unit tests, containers), the command's process group, which a setsid does leave.
#pragma once

#include <absl/functional/any_invocable.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"

namespace capsem::agent {

class ExecGroup {
 public:
  virtual ~ExecGroup() = default;
  // Where the first process is to be born; -1: anywhere.
  virtual int fork_fd() const = 0;
  virtual void OnStarted(pid_t first) = 0;
  virtual void Kill() = 0;
  // The first process has been collected, so its number may be somebody else's from now on. `gone`
  // comes once, from the loop, when the last one has ended and the group is removed.
  virtual void OnFirstEnded(absl::AnyInvocable<void()> gone) = 0;
};

class ExecGroups {
 public:
  virtual ~ExecGroups() = default;
  virtual StatusOr<std::unique_ptr<ExecGroup>> Create() = 0;
  // Every command of the machine and whatever it left behind.
  virtual void KillAll() = 0;
  // Comes once, from the loop, when no process of any command is left.
  virtual void OnEmpty(absl::AnyInvocable<void()> empty) = 0;
};

}  // namespace capsem::agent
