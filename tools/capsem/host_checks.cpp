// Platform: landlock; elsewhere: a note says that it is missing.
#include "host_checks.h"

#include <linux/landlock.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string_view>

#include "base/meminfo.h"
#include "output.h"
#include "wire/limits.h"

namespace capsem::cli {
namespace {

using Result = HostCheck::Result;

constexpr uint64_t kMib = 1024 * 1024;
constexpr uint64_t kDefaultMemory = 512 * kMib;  // of a session on a host without KVM

StatusOr<uint32_t> ModeOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return FromErrno("look at {}", path);
  return info.st_mode & 07777;
}

StatusOr<uint32_t> LandlockVersion() {
  const auto version =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0) return FromErrno("ask for Landlock");
  return static_cast<uint32_t>(version);
}

bool HasSubordinateIds() {
  if (geteuid() == 0) return true;
  const passwd* const user = getpwuid(geteuid());
  if (user == nullptr) return false;
  std::ifstream file("/etc/subuid");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(std::string(user->pw_name) + ":")) return true;
  }
  return false;
}

HostCheck Check(std::string sentence, const Status& status, Result unless = Result::kFailed) {
  if (status.ok()) return {std::move(sentence), Result::kOk, {}, {}};
  return {std::move(sentence), unless, std::string(Message(status)), std::string(Remedy(status))};
}

Status Isolation(const v1::StatusResponse& status) {
  if (status.isolation() == v1::ISOLATION_HARDWARE) return OkStatus();
  return WithRemedy(FailedPrecondition("machines are emulated: {}", status.kvm()),
                    "everything works, several times slower and without the processor's "
                    "isolation; use a host with usable KVM");
}

Status Memory(uint64_t available) {
  if (available >= kDefaultMemory) return OkStatus();
  return WithRemedy(
      ResourceExhausted("{} are free: a session takes {}", Bytes(available), Bytes(kDefaultMemory)),
      "stop sessions (`capsem stop --all`) or other programs");
}

Status Room(const v1::StatusResponse& status) {
  if (status.sessions_running() < status.sessions_limit()) return OkStatus();
  return WithRemedy(ResourceExhausted("{} sessions run: the limit is {}", status.sessions_running(),
                                      status.sessions_limit()),
                    "stop one (`capsem list`, `capsem stop`)");
}

Status Private(const StatusOr<uint32_t>& mode, const std::string& folder) {
  TRY(mode.status());
  if ((*mode & 077) == 0) return OkStatus();
  return WithRemedy(PermissionDenied("others may look into {}", folder),
                    fmt::format("chmod 700 {}", folder));
}

Status Gateway(const std::string& gateway) {
  if (gateway.starts_with("http://")) return OkStatus();
  return WithRemedy(Unavailable("it does not listen: {}", gateway),
                    "see gateway.log in the state folder; only REST clients need it");
}

Status ImageBuilds(bool possible) {
  if (possible) return OkStatus();
  return WithRemedy(FailedPrecondition("this user has no subordinate ids in /etc/subuid"),
                    "`capsem image build` says the lines to add");
}

}  // namespace

HostFacts MeasureHost(Client& client, const v1::StatusResponse& status) {
  return {.status = status,
          .base_image = client.InspectImage("base"),
          .memory_available = MeminfoBytes("MemAvailable").value_or(UINT64_MAX),
          .state_mode = ModeOf(status.state_dir()),
          .landlock = LandlockVersion(),
          .builds_images = HasSubordinateIds()};
}

std::vector<HostCheck> JudgeHost(const HostFacts& facts) {
  const v1::StatusResponse& status = facts.status;
  std::vector<HostCheck> checks = {
      Check("the processor isolates machines (KVM)", Isolation(status), Result::kNote),
      Check("the image base is whole and signed", facts.base_image.status()),
      Check("there is memory for one more session", Memory(facts.memory_available)),
      Check("one more session may run", Room(status)),
      Check("the state folder is its owner's alone", Private(facts.state_mode, status.state_dir())),
      Check("the gateway listens", Gateway(status.gateway()), Result::kNote),
      Check("the kernel confines programs (Landlock)", facts.landlock.status(), Result::kNote),
      Check("this user can build images", ImageBuilds(facts.builds_images), Result::kNote),
  };
  // What the service itself has found: QEMU, disk, registry.
  for (const std::string& problem : status.problems())
    checks.push_back({"the service has no complaint", Result::kFailed, problem, {}});
  if (status.problems().empty())
    checks.push_back({"the service has no complaint", Result::kOk, {}, {}});
  return checks;
}

}  // namespace capsem::cli
