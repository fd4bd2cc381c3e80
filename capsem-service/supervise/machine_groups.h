// The cgroups of machines. Where a folder of cgroup v2 was delegated to the service, each
// capsem-process is born, and so is its QEMU, in a folder below that, with limits by the machine's
// size; the service itself moves into another. Where that cannot be, or not all of it, text() says
// what there is and why there is no more; no session fails for it. Owned by app; loop thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "supervise/cgroup_files.h"

namespace capsem::service {

struct MachineSize {
  std::string session;  // its id
  uint32_t cpus = 0;
  uint32_t memory_mib = 0;
};

// Which of the kernel's files get which value. Pure.
struct GroupLimit {
  const char* controller;
  std::string file;
  std::string value;
  std::string told;  // for people
};
std::vector<GroupLimit> LimitsFor(const MachineSize& size);

class MachineGroups;

// One machine's; removed with this, unless it was left.
class MachineGroup {
 public:
  // None: `refusal` says why.
  explicit MachineGroup(const Status& refusal);
  ~MachineGroup();
  MachineGroup(const MachineGroup&) = delete;
  MachineGroup& operator=(const MachineGroup&) = delete;

  // For ChildSpec::group_fd; -1 = there is none.
  int fd() const { return fd_.get(); }
  // As "memory 768 MiB, 256 tasks, cpu weight 100", or "rlimits only: …".
  const std::string& text() const { return text_; }
  // The machine is not in it after all.
  void Refuse(const Status& why);
  // It stays, with whoever lives in it.
  void Leave() { folder_.clear(); }

 private:
  friend class MachineGroups;
  MachineGroup(MachineGroups& groups, std::string folder);
  void Remove();

  MachineGroups* groups_ = nullptr;
  std::string folder_;  // empty: none, or left
  UniqueFd fd_;
  std::string text_;
};

class MachineGroups {
 public:
  // Moves this process, divides the folder, and removes what earlier services have left there.
  explicit MachineGroups(CgroupFiles files = {});
  ~MachineGroups();
  MachineGroups(const MachineGroups&) = delete;
  MachineGroups& operator=(const MachineGroups&) = delete;

  // What machines get: "memory, pids, cpu", or "rlimits only: …".
  const std::string& text() const { return text_; }
  // Never null, as Adopt. It must not outlive this.
  std::unique_ptr<MachineGroup> Make(const MachineSize& size);
  // The one that an earlier service has put that capsem-process in, with its limits put on again.
  std::unique_ptr<MachineGroup> Adopt(pid_t process, const MachineSize& size);

 private:
  friend class MachineGroup;
  Status TakeOver();
  Status Divide(const std::set<std::string>& there);
  void RemoveOld();
  Status PutLimitsOn(MachineGroup& group, const MachineSize& size);
  // What cannot be removed now is tried again.
  void Remove(const std::string& folder);
  void RemoveLeftover();

  const CgroupFiles files_;
  std::string folder_;  // the delegated one; empty: there is none
  Status refusal_;
  std::string text_;
  std::vector<std::string> leftover_;
};

// For `capsem-service --lift-limits`, which its unit runs after each end of the service: systemd
// starts the next one in the delegated folder itself, where no process may be while groups below
// have limits. The next service puts them on again.
Status LiftLimits(const CgroupFiles& files = {});

}  // namespace capsem::service
