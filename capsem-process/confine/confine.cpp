// Platform: seccomp; elsewhere: ConfineSelf fails, and so no machine starts (Linux before 3.17).
// Platform: kvm; elsewhere: the rule for its device is left out, where there is none.
#include "confine/confine.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/unique_fd.h"
#include "confine/syscall_filter.h"

namespace capsem::process {
namespace {

// A session has two for each connection of its guest and a few dozen beside; kExecFd needs more
// than 1023.
constexpr rlim_t kMaxFds = 4096;
// Above the service's, which holds everybody's sessions: when memory runs out, a machine goes
// first.
constexpr int kOomScoreStep = 200;
constexpr int kMaxOomScore = 1000;
// A path in an ELF file is not longer.
constexpr size_t kMaxInterpreter = 4096;

// QEMU's own: libraries, firmware, the host's topology for its threads, the time zone for its
// clock.
const char* const kReadOnly[] = {
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/usr/share/qemu",
    "/usr/share/seabios",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/dev/urandom",
};

Status Limit(int resource, rlim_t most, const char* what) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0)
    return FromErrno("read the limit of {}", what);
  limit.rlim_max = std::min(limit.rlim_max, most);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0) return OkStatus();
  return FromErrno("limit {}", what);
}

// Left as it is where it cannot be read or set: it is a preference, not a wall.
void PreferForOom() {
  constexpr char kPath[] = "/proc/self/oom_score_adj";
  const UniqueFd file(open(kPath, O_RDWR | O_CLOEXEC));
  char text[16] = {};
  if (!file.valid() || read(file.get(), text, sizeof text - 1) <= 0) return;
  const std::string higher =
      std::to_string(std::min(std::atoi(text) + kOomScoreStep, kMaxOomScore));
  [[maybe_unused]] const ssize_t written = pwrite(file.get(), higher.data(), higher.size(), 0);
}

// The dynamic loader that a program names, for the kernel executes that, too. "" = it names none.
std::string InterpreterOf(const std::string& program) {
  const UniqueFd file(open(program.c_str(), O_RDONLY | O_CLOEXEC));
  ElfW(Ehdr) header;
  if (pread(file.get(), &header, sizeof header, 0) != sizeof header) return {};
  for (int index = 0; index < header.e_phnum; ++index) {
    ElfW(Phdr) segment;
    const auto at =
        static_cast<off_t>(header.e_phoff + static_cast<size_t>(index) * sizeof segment);
    if (pread(file.get(), &segment, sizeof segment, at) != sizeof segment) return {};
    if (segment.p_type != PT_INTERP || segment.p_filesz > kMaxInterpreter) continue;
    std::string path(segment.p_filesz, '\0');
    if (pread(file.get(), path.data(), path.size(), static_cast<off_t>(segment.p_offset)) < 0)
      return {};
    return path.c_str();  // without its NUL
  }
  return {};
}

}  // namespace

StatusOr<int> ConfineBoth(const ConfineSpec& spec) {
  TRY(Limit(RLIMIT_CORE, 0, "core files"));  // they would hold the guest's memory
  TRY(Limit(RLIMIT_NOFILE, kMaxFds, "descriptors"));
  PreferForOom();
  LandlockSpec domain;
  domain.read_write = {spec.session_folder};
  domain.read_only.assign(std::begin(kReadOnly), std::end(kReadOnly));
  domain.execute = {spec.qemu};
  if (const std::string loader = InterpreterOf(spec.qemu); !loader.empty())
    domain.execute.push_back(loader);
  domain.devices = {"/dev/null"};
  if (spec.kvm) domain.devices.emplace_back("/dev/kvm");
  domain.read_only_fds = spec.image_files;
  domain.max_abi = spec.max_landlock_abi;
  return RestrictByLandlock(domain);
}

Status ConfineSelf(int listener, pid_t qemu) {
  FilterProgram filter = TRY(ProcessFilter(listener, qemu));
  const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return FromErrno("set no_new_privs");
  const long thread =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (thread == 0) return OkStatus();
  if (thread > 0) return Internal("thread {} has a system call filter of its own", thread);
  return FromErrno("put the system call filter on");
}

}  // namespace capsem::process
