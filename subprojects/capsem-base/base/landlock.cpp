// Platform: landlock; elsewhere: LandlockAbi is 0 and nothing is held back (Linux before 5.13).
#include "base/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace capsem {
namespace {

// Of kernels later than the headers that this is compiled with: include/uapi/linux/landlock.h.
constexpr uint64_t kRefer = 1ULL << 13;     // ABI 2
constexpr uint64_t kTruncate = 1ULL << 14;  // ABI 3
constexpr uint64_t kIoctlDev = 1ULL << 15;  // ABI 5
constexpr uint64_t kTcp = 0b11;             // ABI 4: bind, connect
constexpr uint64_t kScopes = 0b11;          // ABI 6: abstract sockets, signals

struct RulesetAttributes {
  uint64_t handled_fs;
  uint64_t handled_net;  // ABI 4
  uint64_t scoped;       // ABI 6
};

constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr uint64_t kWriteFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;
constexpr uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kDevice = kReadFile | kWriteFile | kIoctlDev;
constexpr uint64_t kMakeDevices = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
constexpr uint64_t kAllOfAbi1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
// The kernel takes only these for what is not a folder.
constexpr uint64_t kOfFiles = kReadFile | kWriteFile | kExecute | kTruncate | kIoctlDev;

uint64_t AllOf(int abi) {
  uint64_t all = kAllOfAbi1;
  if (abi >= 2) all |= kRefer;
  if (abi >= 3) all |= kTruncate;
  if (abi >= 5) all |= kIoctlDev;
  return all;
}

class Ruleset {
 public:
  Status Create(int abi) {
    handled_ = AllOf(abi);
    const RulesetAttributes attributes = {handled_, abi >= 4 ? kTcp : 0, abi >= 6 ? kScopes : 0};
    const size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    fd_.Reset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
    return fd_.valid() ? OkStatus() : FromErrno("make a Landlock ruleset of ABI {}", abi);
  }

  Status Allow(int fd, uint64_t rights) {
    struct stat about {};
    if (fstat(fd, &about) != 0) return FromErrno("look at descriptor {}", fd);
    if (!S_ISDIR(about.st_mode)) rights &= kOfFiles;
    const landlock_path_beneath_attr rule = {rights & handled_, fd};
    if (syscall(SYS_landlock_add_rule, fd_.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
      return OkStatus();
    return FromErrno("add a rule of Landlock");
  }

  Status Allow(const std::vector<std::string>& paths, uint64_t rights) {
    for (const std::string& path : paths) {
      const UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
      if (!fd.valid() && errno == ENOENT) continue;
      if (!fd.valid()) return FromErrno("open {}", path);
      if (Status status = Allow(fd.get(), rights); !status.ok())
        return Annotate(status, "{}", path);
    }
    return OkStatus();
  }

  Status Enter() {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return FromErrno("set no_new_privs");
    if (syscall(SYS_landlock_restrict_self, fd_.get(), 0) == 0) return OkStatus();
    return FromErrno("enter the Landlock domain");
  }

 private:
  UniqueFd fd_;
  uint64_t handled_ = 0;
};

}  // namespace

int LandlockAbi() {
  const long abi =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

StatusOr<int> RestrictByLandlock(const LandlockSpec& spec) {
  const int abi = std::min(LandlockAbi(), spec.max_abi);
  if (abi <= 0) return 0;
  Ruleset rules;
  TRY(rules.Create(abi));
  TRY(rules.Allow(spec.read_write, AllOf(abi) & ~(kExecute | kMakeDevices | kIoctlDev)));
  TRY(rules.Allow(spec.read_only, kRead));
  TRY(rules.Allow(spec.execute, kRead | kExecute));
  TRY(rules.Allow(spec.devices, kDevice));
  for (const int fd : spec.read_only_fds) TRY(rules.Allow(fd, kReadFile));
  TRY(rules.Enter());
  return abi;
}

std::vector<std::string> LandlockGaps(int abi) {
  if (abi <= 0) return {"this kernel has no Landlock: files are held back by their modes alone"};
  std::vector<std::string> gaps;
  if (abi < 3) gaps.emplace_back("Landlock before ABI 3 does not hold back truncation");
  if (abi < 4) gaps.emplace_back("Landlock before ABI 4 does not hold back TCP");
  if (abi < 5) gaps.emplace_back("Landlock before ABI 5 does not hold back ioctls of devices");
  if (abi < 6)
    gaps.emplace_back("Landlock before ABI 6 does not hold back abstract sockets and signals");
  return gaps;
}

}  // namespace capsem
