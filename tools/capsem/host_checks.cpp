// Platform: landlock; elsewhere: a note says that it is missing, as for systemd.
#include "host_checks.h"

#include <linux/landlock.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
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

// A path ends with it where the unit's processes are: …/capsem.service, or a part of it below.
bool RunsInUnit(uint32_t pid) {
  std::ifstream file(fmt::format("/proc/{}/cgroup", pid));
  for (std::string line; std::getline(file, line);) {
    if ((line + "/").find("/capsem.service/") != std::string::npos) return true;
  }
  return false;
}

std::string LoadedKillMode() {
  const std::unique_ptr<FILE, int (*)(FILE*)> said(
      popen("systemctl --user show --property=KillMode --value capsem.service 2>&-", "r"), pclose);
  char line[64] = "";
  if (said == nullptr || fgets(line, sizeof line, said.get()) == nullptr) return "";
  const std::string_view word(line);
  return std::string(word.substr(0, word.find('\n')));
}

UnitFacts MeasureUnit(uint32_t service_pid) {
  UnitFacts unit;
  std::error_code nothing_there;
  unit.has_systemd = std::filesystem::exists("/run/systemd/system", nothing_there);
  unit.runs_service = RunsInUnit(service_pid);
  if (unit.runs_service) unit.kill_mode = LoadedKillMode();
  if (const passwd* const user = getpwuid(geteuid())) {
    unit.lingers = std::filesystem::exists(std::string("/var/lib/systemd/linger/") + user->pw_name,
                                           nothing_there);
  }
  return unit;
}

// `otherwise` helps where the status does not say what does.
HostCheck Check(std::string sentence, const Status& status, Result unless,
                std::string_view otherwise) {
  if (status.ok()) return {std::move(sentence), Result::kOk, {}, {}};
  const std::string remedy = Remedy(status);
  return {std::move(sentence), unless, std::string(Message(status)),
          remedy.empty() ? std::string(otherwise) : remedy};
}

// The service says "cause (remedy)", or only a cause.
HostCheck Complaint(std::string_view problem) {
  HostCheck check{"the service has no complaint", Result::kFailed, std::string(problem),
                  "`capsem logs` may say more"};
  size_t begin = problem.size();
  for (int open = 0; begin > 0;) {
    const char byte = problem[--begin];
    open += byte == ')' ? 1 : byte == '(' ? -1 : 0;
    if (open == 0) break;
  }
  if (begin == 0 || !problem.ends_with(')') || problem[begin - 1] != ' ') return check;
  check.cause = problem.substr(0, begin - 1);
  check.remedy = problem.substr(begin + 1, problem.size() - begin - 2);
  return check;
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

Status Unit(const UnitFacts& unit) {
  if (!unit.has_systemd) {
    return WithRemedy(FailedPrecondition("there is no systemd here"),
                      "nothing is needed: whatever verb comes first starts the service");
  }
  if (!unit.runs_service) {
    return WithRemedy(FailedPrecondition("it does not run as its unit: nothing starts it again"),
                      "install capsem.service as a unit of this user, `capsem service stop`, and "
                      "`systemctl --user enable --now capsem.service`");
  }
  if (unit.kill_mode == "process") return OkStatus();
  return WithRemedy(
      FailedPrecondition("the unit has KillMode={}: systemd ends machines along with the service",
                         unit.kill_mode.empty() ? "?" : unit.kill_mode),
      "install capsem.service as it came, and `systemctl --user daemon-reload`");
}

Status Linger(const UnitFacts& unit) {
  if (!unit.has_systemd || unit.lingers) return OkStatus();
  return WithRemedy(FailedPrecondition("this user does not linger: systemd may end everything of "
                                       "it after the last logout, and removes its runtime folder"),
                    "loginctl enable-linger");
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
          .builds_images = HasSubordinateIds(),
          .unit = MeasureUnit(status.pid())};
}

std::vector<HostCheck> JudgeHost(const HostFacts& facts) {
  constexpr Result kNote = Result::kNote;
  constexpr Result kFailed = Result::kFailed;
  const v1::StatusResponse& status = facts.status;
  std::vector<HostCheck> checks = {
      Check("the processor isolates machines (KVM)", Isolation(status), kNote, ""),
      Check("the image base is whole and signed", facts.base_image.status(), kFailed,
            "build it again: `capsem image build`"),
      Check("there is memory for one more session", Memory(facts.memory_available), kFailed, ""),
      Check("one more session may run", Room(status), kFailed, ""),
      Check("the state folder is its owner's alone", Private(facts.state_mode, status.state_dir()),
            kFailed, "see that the folder is there and yours; CAPSEM_HOME names another"),
      Check("the gateway listens", Gateway(status.gateway()), kNote, ""),
      Check("the kernel confines programs (Landlock)", facts.landlock.status(), kNote,
            "use a kernel from 5.13 on with CONFIG_SECURITY_LANDLOCK and landlock among lsm=; "
            "docs/confinement.md says what is missing without"),
      Check("systemd keeps the service, and leaves machines alone", Unit(facts.unit), kNote, ""),
      Check("what runs here outlives a logout", Linger(facts.unit), kNote, ""),
      Check("this user can build images", ImageBuilds(facts.builds_images), kNote, ""),
  };
  // What the service itself has found: QEMU, disk, registry.
  for (const std::string& problem : status.problems()) checks.push_back(Complaint(problem));
  if (status.problems().empty())
    checks.push_back({"the service has no complaint", Result::kOk, {}, {}});
  return checks;
}

}  // namespace capsem::cli
