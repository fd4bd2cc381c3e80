// The guest's cgroups: `agent`, which always gets its turn, and `execs`, where every command is a
// group of its own below limits that leave the agent what it needs. Reached by descriptors only: a
// user may mount over /sys/fs/cgroup, and the agent must not walk into that.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "exec/cgroup_events.h"
#include "exec/exec_group.h"

namespace capsem::agent {

// What all commands together may use.
struct ExecLimits {
  uint64_t memory_bytes;
  uint64_t processes;
};
// Pure: from the machine's memory.
ExecLimits LimitsFor(uint64_t machine_memory_bytes);

class CgroupTree : public ExecGroups {
 public:
  // `root` is the root of cgroup2, and is kept. Makes both groups, sets the limits, and moves the
  // calling process into `agent`.
  static StatusOr<std::unique_ptr<CgroupTree>> Create(Loop& loop, UniqueFd root,
                                                      const ExecLimits& limits);
  // Groups for commands straight below `folder`, with no limits: where somebody else has set them.
  CgroupTree(Loop& loop, UniqueFd folder) : loop_(loop), execs_(std::move(folder)) {}
  ~CgroupTree() override;

  StatusOr<std::unique_ptr<ExecGroup>> Create() override;
  void KillAll() override;
  void OnEmpty(absl::AnyInvocable<void()> empty) override;

 private:
  class Group;
  struct Folder {
    std::string name;
    UniqueFd fd;
    // Such a group takes nobody any more: Linux (6.18, as seen) kills whoever is born into it.
    bool killed = false;
  };
  // False: somebody lives in it.
  bool Remove(Folder& folder);
  // As Remove, but a group as good as new is kept for the next command: making and removing one
  // takes longer than a small command.
  bool TakeBack(Folder& folder);

  Loop& loop_;
  UniqueFd execs_;
  uint64_t next_name_ = 1;
  std::vector<Folder> empty_;
  std::vector<Folder> leftover_;  // given up while somebody was still ending in it
  std::unique_ptr<CgroupEvents> events_;
};

}  // namespace capsem::agent
