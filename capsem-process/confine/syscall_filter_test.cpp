#include "confine/syscall_filter.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/child.h"
#include "base/testing/status_matchers.h"

namespace capsem::process {
namespace {

// One past the last system call that is tried: beyond all that Linux has.
constexpr int kCalls = 512;
// uretprobe and uprobe: the kernel asks no filter about them (Linux 6.14), and ends whoever calls
// them from where the kernel has not put them.
constexpr int kProbes[] = {335, 336};
constexpr int kListener = 5;
constexpr pid_t kQemu = 12345;

std::set<std::string> Names(std::span<const std::string_view> names) {
  return {names.begin(), names.end()};
}

std::string NameOf(int number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  const std::string text = name == nullptr ? std::to_string(number) : name;
  free(name);
  return text;
}

bool IsProbe(int number) { return std::ranges::find(kProbes, number) != std::end(kProbes); }

// What a process under this filter is told when it tries each system call that the filter shall
// deny: none of them has an effect.
std::array<int, kCalls> Try(FilterProgram filter, const std::set<std::string>& spared) {
  auto* told = static_cast<int*>(mmap(nullptr, kCalls * sizeof(int), PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(told != MAP_FAILED);
  std::array<bool, kCalls> skip{};
  for (int number = 0; number < kCalls; ++number)
    skip[static_cast<size_t>(number)] = spared.contains(NameOf(number)) || IsProbe(number);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      _exit(1);
    for (int number = 0; number < kCalls; ++number) {
      if (skip[static_cast<size_t>(number)]) continue;
      // Arguments that no rule allows: of clone, flags without that of a thread.
      const long any = number == SYS_clone ? 0 : -1;
      told[number] = syscall(number, any, any, any, any, any, any) == -1 ? errno : -1;
    }
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  REQUIRE(status == 0);
  std::array<int, kCalls> result{};
  std::copy(told, told + kCalls, result.begin());
  munmap(told, kCalls * sizeof(int));
  return result;
}

FilterProgram FilterOf(Confined who) {
  return who == Confined::kQemu ? VALUE_OF(QemuFilter())
                                : VALUE_OF(ProcessFilter(kListener, kQemu));
}

}  // namespace

TEST_CASE("every system call that is not in the tables is denied") {
  const Confined who = GENERATE(Confined::kProcess, Confined::kQemu);
  std::set<std::string> allowed = Names(CommonCalls());
  allowed.merge(Names(CallsOf(who)));
  const std::set<std::string> missing = Names(MissingCalls());
  // With these arguments the checked ones are denied, too.
  const auto told = Try(FilterOf(who), allowed);
  for (int number = 0; number < kCalls; ++number) {
    const std::string name = NameOf(number);
    if (allowed.contains(name) || IsProbe(number)) continue;
    INFO(name);
    REQUIRE(told[static_cast<size_t>(number)] ==
            (missing.contains(name) || number > 450 ? ENOSYS : EPERM));
  }
}

TEST_CASE("what the architecture forbids stands in no table") {
  const Confined who = GENERATE(Confined::kProcess, Confined::kQemu);
  std::set<std::string> allowed = Names(CommonCalls());
  allowed.merge(Names(CallsOf(who)));
  for (const char* name : {"socket",
                           "connect",
                           "bind",
                           "listen",
                           "accept",
                           "pidfd_open",
                           "pidfd_getfd",
                           "pidfd_send_signal",
                           "ptrace",
                           "process_vm_readv",
                           "process_vm_writev",
                           "execve",
                           "fork",
                           "vfork",
                           "mount",
                           "unshare",
                           "setns",
                           "userfaultfd",
                           "bpf",
                           "io_uring_setup",
                           "io_uring_enter",
                           "io_uring_register",
                           "keyctl",
                           "add_key",
                           "perf_event_open",
                           "chmod",
                           "chown",
                           "setxattr",
                           "utimensat",
                           "truncate",
                           "symlink",
                           "link"}) {
    INFO(name);
    REQUIRE_FALSE(allowed.contains(name));
    REQUIRE(seccomp_syscall_resolve_name(name) >= 0);  // it is spelled right
  }
}

TEST_CASE("a call is in one table only") {
  const Confined who = GENERATE(Confined::kProcess, Confined::kQemu);
  std::set<std::string_view> all;
  size_t count = 0;
  for (const auto names : {CommonCalls(), CallsOf(who), CheckedCalls(who), MissingCalls()}) {
    all.insert(names.begin(), names.end());
    count += names.size();
  }
  REQUIRE(all.size() == count);
}

TEST_CASE("QEMU's filter has a place for the child's pid, and the process's has none") {
  const auto has = [](const FilterProgram& filter) {
    return std::ranges::any_of(filter,
                               [](const sock_filter& step) { return step.k == kFilterOwnPid; });
  };
  REQUIRE(has(FilterOf(Confined::kQemu)));
  REQUIRE_FALSE(has(FilterOf(Confined::kProcess)));
}

}  // namespace capsem::process
