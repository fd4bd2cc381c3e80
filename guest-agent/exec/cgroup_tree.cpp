// Platform: cgroup2; elsewhere: Create fails, and process_groups.h is the other implementation.
// Platform: openat2; elsewhere: Create fails with the kernel's error.
#include "exec/cgroup_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "boot/kernel_file.h"

namespace capsem::agent {
namespace {

// What the kernel and the agent keep for themselves: its own pages are locked and few (3 MiB), the
// rest is slab, page tables and buffers of the link.
constexpr uint64_t kReservedBytes = uint64_t{40} << 20;
// The least that a process costs in kernel memory (stack, task, page tables): more than these would
// not fit anyway, and reaching this limit is an error that programs understand.
constexpr uint64_t kBytesPerProcess = 64 * 1024;
constexpr uint64_t kMaxProcesses = 30000;  // below pid_max (32768), so that the agent can fork

// Groups without a command that are kept for the next: one for the process that waits ahead, and a
// few for commands that run beside each other.
constexpr size_t kKeptEmpty = 4;

// Only a folder of cgroup2 itself: never what a user has mounted there.
StatusOr<UniqueFd> OpenGroup(int parent, const std::string& name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
  UniqueFd fd(static_cast<int>(syscall(SYS_openat2, parent, name.c_str(), &how, sizeof how)));
  if (!fd.valid()) return FromErrno("open cgroup {}", name);
  return fd;
}

StatusOr<UniqueFd> MakeGroup(int parent, const std::string& name) {
  if (mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
    return FromErrno("make cgroup {}", name);
  return OpenGroup(parent, name);
}

// A command that managed containers leaves groups of its own below its group, which takes no
// process then.
bool HasGroups(int group) {
  struct stat folder {};
  constexpr nlink_t kAlone = 2;  // its name and its "."
  return fstat(group, &folder) != 0 || folder.st_nlink != kAlone;
}

}  // namespace

ExecLimits LimitsFor(uint64_t machine_memory_bytes) {
  const uint64_t memory = std::max(machine_memory_bytes, 2 * kReservedBytes) - kReservedBytes;
  return {memory, std::min(memory / kBytesPerProcess, kMaxProcesses)};
}

StatusOr<std::unique_ptr<CgroupTree>> CgroupTree::Create(Loop& loop, UniqueFd root,
                                                         const ExecLimits& limits) {
  const int top = root.get();
  TRY(WriteKernelFile(top, "cgroup.subtree_control", "+cpu +memory +pids"));
  const UniqueFd agent = TRY(MakeGroup(top, "agent"));
  UniqueFd execs = TRY(MakeGroup(top, "execs"));
  // The range is 1 to 10000; a command has 100: with a fork bomb running, the agent still gets a
  // hundred times its share.
  TRY(WriteKernelFile(agent.get(), "cpu.weight", "10000"));
  TRY(WriteKernelFile(execs.get(), "memory.max", fmt::to_string(limits.memory_bytes)));
  TRY(WriteKernelFile(execs.get(), "pids.max", fmt::to_string(limits.processes)));
  TRY(WriteKernelFile(agent.get(), "cgroup.procs", "0"));
  return std::make_unique<CgroupTree>(loop, std::move(execs));
}

class CgroupTree::Group : public ExecGroup {
 public:
  Group(CgroupTree& tree, Folder folder) : tree_(tree), folder_(std::move(folder)) {}
  ~Group() override {
    // Its process has not ended as a command does: who knows why.
    if (folder_.fd.valid() && !tree_.Remove(folder_)) tree_.leftover_.push_back(std::move(folder_));
  }

  int fork_fd() const override { return folder_.fd.get(); }
  void OnStarted(pid_t) override {}
  void Kill() override {
    if (!folder_.fd.valid()) return;
    folder_.killed = true;
    const Status killed = WriteKernelFile(folder_.fd.get(), "cgroup.kill", "1");
    if (!killed.ok())
      log::Error("cannot kill a command", {{"group", folder_.name}, {"why", killed}});
  }

  void OnFirstEnded(absl::AnyInvocable<void()> gone) override {
    if (tree_.TakeBack(folder_)) return tree_.loop_.Post(std::move(gone));
    gone_ = std::move(gone);
    events_ = std::make_unique<CgroupEvents>(tree_.loop_, folder_.fd.get(), [this] {
      tree_.TakeBack(folder_);
      auto gone = std::move(gone_);  // it may destroy this
      gone();
    });
  }

 private:
  CgroupTree& tree_;
  Folder folder_;  // without its descriptor once it was taken back
  absl::AnyInvocable<void()> gone_;
  std::unique_ptr<CgroupEvents> events_;
};

StatusOr<std::unique_ptr<ExecGroup>> CgroupTree::Create() {
  std::erase_if(leftover_, [this](Folder& folder) { return Remove(folder); });
  Folder folder;
  if (!empty_.empty()) {
    folder = std::move(empty_.back());
    empty_.pop_back();
  } else {
    folder.name = fmt::to_string(next_name_++);
    folder.fd = TRY(MakeGroup(execs_.get(), folder.name));
  }
  return std::make_unique<Group>(*this, std::move(folder));
}

CgroupTree::~CgroupTree() {
  for (Folder& folder : empty_) Remove(folder);
}

bool CgroupTree::Remove(Folder& folder) {
  if (unlinkat(execs_.get(), folder.name.c_str(), AT_REMOVEDIR) != 0 && errno == EBUSY)
    return false;
  folder.fd.Reset();
  return true;
}

bool CgroupTree::TakeBack(Folder& folder) {
  const UniqueFd events(openat(folder.fd.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  const std::optional<bool> populated = Populated(events.get());
  if (populated.value_or(false)) return false;
  const bool good = populated && !folder.killed && !HasGroups(folder.fd.get());
  if (!good || empty_.size() >= kKeptEmpty) return Remove(folder);
  empty_.push_back(std::move(folder));
  return true;
}

void CgroupTree::KillAll() {
  const Status killed = WriteKernelFile(execs_.get(), "cgroup.kill", "1");
  if (!killed.ok()) log::Error("cannot kill the commands", {{"why", killed}});
}

void CgroupTree::OnEmpty(absl::AnyInvocable<void()> empty) {
  events_ = std::make_unique<CgroupEvents>(loop_, execs_.get(), std::move(empty));
}

}  // namespace capsem::agent
