// Platform: cgroup2; elsewhere: machines have rlimits only, and are told so.
#include "supervise/machine_groups.h"

#include <fcntl.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/log.h"

namespace capsem::service {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSubtree = "/cgroup.subtree_control";
constexpr const char* kProcs = "/cgroup.procs";
constexpr const char* kControllers[] = {"memory", "pids", "cpu"};
constexpr const char* kPrefix = "session-";

// Beside the guest's memory a machine has what QEMU and capsem-process allocate (57 and 3 MiB were
// counted of an emulated one that ran commands; QEMU's translated code is 32 MiB at most), page
// tables for that memory in both (a 512th each, at most), and files that the host caches for it,
// which give way. The rest is room.
constexpr uint64_t kOverheadMib = 256;
constexpr uint64_t kOverheadShare = 64;
// Threads of both programs: 16 were counted with one processor; there are up to seven more of
// those, and up to 64 that QEMU reads and writes disks with. The rest is room.
constexpr uint64_t kMaxTasks = 256;
// Of a machine with one processor; the kernel's own default.
constexpr uint64_t kCpuWeight = 100;
// Every call waits for the service, which works little: it gets its turn beside ten machines of
// eight processors.
constexpr const char* kServiceWeight = "10000";

// Each for itself, for each may be refused: what holds, and what does not.
class Outcome {
 public:
  void Add(const char* controller, std::string told, const Status& status) {
    if (status.ok()) return held_.push_back(std::move(told));
    lacking_.push_back(fmt::format("{} ({})", controller, Message(status)));
    refusal_.Update(status);
  }
  // Ok: at least one holds.
  Status status() const { return held_.empty() ? refusal_ : OkStatus(); }
  std::string text() const {
    if (lacking_.empty()) return fmt::format("{}", fmt::join(held_, ", "));
    return fmt::format("{}; not {}", fmt::join(held_, ", "), fmt::join(lacking_, ", not "));
  }

 private:
  std::vector<std::string> held_, lacking_;
  Status refusal_;
};

// Also where cgroup v1 has it.
Status Missing(const char* controller, const std::string& folder) {
  return FailedPrecondition("the cgroup {} has no controller {}", folder, controller);
}

std::string Refusal(const Status& why) {
  const std::string remedy = Remedy(why);
  return fmt::format("rlimits only: {}{}", Message(why),
                     remedy.empty() ? std::string() : " (" + remedy + ")");
}

}  // namespace

std::vector<GroupLimit> LimitsFor(const MachineSize& size) {
  const uint64_t mib = size.memory_mib + size.memory_mib / kOverheadShare + kOverheadMib;
  const uint64_t weight = kCpuWeight * size.cpus;
  return {
      {"memory", "memory.max", fmt::to_string(mib << 20), fmt::format("memory {} MiB", mib)},
      {"pids", "pids.max", fmt::to_string(kMaxTasks), fmt::format("{} tasks", kMaxTasks)},
      {"cpu", "cpu.weight", fmt::to_string(weight), fmt::format("cpu weight {}", weight)},
  };
}

MachineGroup::MachineGroup(const Status& refusal) : text_(Refusal(refusal)) {}

MachineGroup::MachineGroup(MachineGroups& groups, std::string folder)
    : groups_(&groups), folder_(std::move(folder)) {}

MachineGroup::~MachineGroup() { Remove(); }

void MachineGroup::Refuse(const Status& why) {
  Remove();
  text_ = Refusal(why);
}

void MachineGroup::Remove() {
  fd_.Reset();
  if (!folder_.empty()) groups_->Remove(std::exchange(folder_, {}));
}

MachineGroups::MachineGroups(CgroupFiles files) : files_(std::move(files)) {
  refusal_ = TakeOver();
  if (!refusal_.ok()) {
    folder_.clear();
    text_ = Refusal(refusal_);
  }
  log::Info("machines are limited", {{"by", text_}});
}

MachineGroups::~MachineGroups() { RemoveLeftover(); }

Status MachineGroups::TakeOver() {
  folder_ = TRY(DelegatedFolder(files_));
  const auto there = TRY(ControllersOf(folder_));
  if (std::ranges::none_of(kControllers, [&](const char* one) { return there.contains(one); })) {
    return FailedPrecondition("the service's cgroup, {}, has none of the controllers {}", folder_,
                              fmt::join(kControllers, ", "));
  }
  const std::string service = folder_ + "/" + kServiceGroup;
  const bool moves = TRY(GroupOf(files_, "self")) == folder_;
  if (moves) {
    const Status made = files_.make(service);
    if (!made.ok() && made.code() != StatusCode::kAlreadyExists) return made;
    TRY(files_.write(service + kProcs, "0"));
  }
  const Status divided = Divide(there);
  if (divided.ok()) {
    RemoveOld();
    files_.write(service + "/cpu.weight", kServiceWeight).IgnoreError();
  } else if (moves) {
    files_.write(folder_ + kProcs, "0").IgnoreError();
    files_.remove(service).IgnoreError();
  }
  return divided;
}

// Refused also when somebody else's processes live in the folder.
Status MachineGroups::Divide(const std::set<std::string>& there) {
  Outcome outcome;
  for (const char* controller : kControllers) {
    const Status on = there.contains(controller)
                          ? files_.write(folder_ + kSubtree, fmt::format("+{}", controller))
                          : Missing(controller, folder_);
    outcome.Add(controller, controller, on);
  }
  text_ = outcome.text();
  return outcome.status();
}

// Those in which a machine lives stay: it is adopted, or is not ours.
void MachineGroups::RemoveOld() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error))
    if (entry.path().filename().string().starts_with(kPrefix))
      files_.remove(entry.path().string()).IgnoreError();
}

std::unique_ptr<MachineGroup> MachineGroups::Make(const MachineSize& size) {
  if (folder_.empty()) return std::make_unique<MachineGroup>(refusal_);
  RemoveLeftover();
  std::string folder = folder_ + "/" + kPrefix + size.session;
  // One that is there already has a process of the last machine, and may have been told to end
  // whoever is in it.
  const Status made = files_.make(folder);
  if (!made.ok()) return std::make_unique<MachineGroup>(made);
  std::unique_ptr<MachineGroup> group(new MachineGroup(*this, std::move(folder)));
  if (const Status on = PutLimitsOn(*group, size); !on.ok()) {
    group->Refuse(on);
    return group;
  }
  group->fd_.Reset(open(group->folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!group->fd_.valid()) group->Refuse(FromErrno("open {}", group->folder_));
  return group;
}

std::unique_ptr<MachineGroup> MachineGroups::Adopt(pid_t process, const MachineSize& size) {
  auto folder = GroupOf(files_, fmt::to_string(process));
  if (!folder.ok()) return std::make_unique<MachineGroup>(folder.status());
  if (fs::path(*folder).filename() != kPrefix + size.session) {
    return std::make_unique<MachineGroup>(
        folder_.empty() ? refusal_ : FailedPrecondition("it was started in no cgroup of its own"));
  }
  std::unique_ptr<MachineGroup> group(new MachineGroup(*this, *std::move(folder)));
  // The machine lives there, limited or not.
  const Status on = PutLimitsOn(*group, size);
  if (!on.ok()) group->text_ = Refusal(on);
  return group;
}

Status MachineGroups::PutLimitsOn(MachineGroup& group, const MachineSize& size) {
  const auto there = TRY(ControllersOf(group.folder_));
  Outcome outcome;
  for (const GroupLimit& limit : LimitsFor(size)) {
    const Status on = there.contains(limit.controller)
                          ? files_.write(group.folder_ + "/" + limit.file, limit.value)
                          : Missing(limit.controller, group.folder_);
    outcome.Add(limit.controller, limit.told, on);
  }
  group.text_ = outcome.text();
  return outcome.status();
}

void MachineGroups::Remove(const std::string& folder) {
  if (files_.remove(folder).code() != StatusCode::kFailedPrecondition) return;
  // Its owner has seen the end of the machine: whatever lives there still is to end, too.
  files_.write(folder + "/cgroup.kill", "1").IgnoreError();
  leftover_.push_back(folder);
}

void MachineGroups::RemoveLeftover() {
  std::erase_if(leftover_, [this](const std::string& folder) {
    return files_.remove(folder).code() != StatusCode::kFailedPrecondition;
  });
}

Status LiftLimits(const CgroupFiles& files) {
  const std::string folder = TRY(DelegatedFolder(files));
  Status result;
  for (const char* controller : kControllers)
    result.Update(files.write(folder + kSubtree, fmt::format("-{}", controller)));
  return result;
}

}  // namespace capsem::service
