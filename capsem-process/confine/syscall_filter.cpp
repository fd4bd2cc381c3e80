// Platform: namespaces; elsewhere: there are none to be kept from, and the flags mean nothing.
// Platform: seccomp; elsewhere: the filters are made, and cannot be put on (Linux before 3.17).
// Platform: memfd; elsewhere: no filter is made, and so no machine starts (Linux before 3.17).
#include "confine/syscall_filter.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/child.h"
#include "base/unique_fd.h"

namespace capsem::process {
namespace {

// As socket(2) has it: the kind without its flags.
constexpr uint64_t kSocketKind = 0xf;
constexpr uint64_t kCloneNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
// The second byte of an ioctl's number says whose it is; KVM's is KVMIO.
constexpr uint64_t kIoctlKind = 0xff00;
constexpr uint64_t kIoctlsOfKvm = 0xae00;

// System calls later than the library's tables (2.5.4), the same numbers on every processor: new
// libraries try them and know what to do without them.
constexpr int kFirstLater = 451;
constexpr int kLastLater = 511;

// Negative: of another processor, or unknown to the library.
int NumberOf(std::string_view name) {
  return seccomp_syscall_resolve_name(std::string(name).c_str());
}

// One filter as it is being made. The first thing that goes wrong is what Export tells.
class Builder {
 public:
  explicit Builder(Confined who) : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    for (const std::string_view name : CommonCalls()) Allow(name, {});
    for (const std::string_view name : CallsOf(who)) Allow(name, {});
    for (const std::string_view name : MissingCalls()) Rule(Missing(), NumberOf(name), {});
    for (int number = kFirstLater; number <= kLastLater; ++number) Rule(Missing(), number, {});
  }
  ~Builder() { seccomp_release(context_); }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  void Allow(std::string_view name, const std::vector<scmp_arg_cmp>& when) {
    Rule(SCMP_ACT_ALLOW, NumberOf(name), when);
  }

  StatusOr<FilterProgram> Export() {
    if (context_ == nullptr) return ResourceExhausted("no memory for a system call filter");
    TRY(Status(failed_));
    const UniqueFd file(memfd_create("capsem-filter", MFD_CLOEXEC));
    if (!file.valid()) return FromErrno("make a system call filter");
    if (const int error = seccomp_export_bpf(context_, file.get()); error != 0) {
      return ErrnoStatus(-error, "make a system call filter");
    }
    struct stat about {};
    if (fstat(file.get(), &about) != 0) return FromErrno("read the system call filter");
    FilterProgram program(static_cast<size_t>(about.st_size) / sizeof(sock_filter));
    if (pread(file.get(), program.data(), static_cast<size_t>(about.st_size), 0) != about.st_size) {
      return FromErrno("read the system call filter");
    }
    return program;
  }

 private:
  static uint32_t Missing() { return SCMP_ACT_ERRNO(ENOSYS); }

  void Rule(uint32_t action, int number, const std::vector<scmp_arg_cmp>& when) {
    if (context_ == nullptr || !failed_.ok() || number < 0) return;
    const int error = seccomp_rule_add_array(context_, action, number,
                                             static_cast<unsigned>(when.size()), when.data());
    if (error != 0) failed_ = ErrnoStatus(-error, fmt::format("filter system call {}", number));
  }

  scmp_filter_ctx context_;
  Status failed_;
};

// Not the commands that choose who gets signals of a descriptor, and which: they would be as good
// as kill. Nor ioctls that do the same, or that are of devices which no machine has.
void AllowDescriptors(Builder& filter) {
  for (const int command : {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK,
                            F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_GETPIPE_SZ,
                            F_SETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS}) {
    filter.Allow("fcntl", {SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command))});
  }
  for (const unsigned long request : {FIONBIO, FIOCLEX, FIONCLEX, FIONREAD, TCGETS}) {
    filter.Allow("ioctl", {SCMP_A1(SCMP_CMP_EQ, request)});
  }
}

void AllowThreadsAndPairs(Builder& filter) {
  // Threads of its own, never processes. clone3 cannot be looked into: without it libraries use
  // this.
  filter.Allow("clone",
               {SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | kCloneNamespaces, CLONE_THREAD)});
  // Streams alone: a datagram socket of a pair could send to any path.
  filter.Allow("socketpair", {SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
                              SCMP_A1(SCMP_CMP_MASKED_EQ, kSocketKind, SOCK_STREAM)});
  filter.Allow("prlimit64", {SCMP_A2(SCMP_CMP_EQ, 0)});  // to ask, not to set
  for (const int option : {PR_SET_NAME, PR_GET_NAME, PR_SET_TIMERSLACK}) {
    filter.Allow("prctl", {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(option))});
  }
}

}  // namespace

StatusOr<FilterProgram> QemuFilter() {
  Builder filter(Confined::kQemu);
  AllowThreadsAndPairs(filter);
  AllowDescriptors(filter);
  filter.Allow("ioctl", {SCMP_A1(SCMP_CMP_MASKED_EQ, kIoctlKind, kIoctlsOfKvm)});
  filter.Allow("tgkill", {SCMP_A0(SCMP_CMP_EQ, kFilterOwnPid)});
  filter.Allow("execveat", {SCMP_A0(SCMP_CMP_EQ, kExecFd), SCMP_A4(SCMP_CMP_EQ, AT_EMPTY_PATH)});
  // Its own filter, and what KVM's threads do about broken memory.
  for (const int option : {PR_SET_SECCOMP, PR_GET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_MCE_KILL}) {
    filter.Allow("prctl", {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(option))});
  }
  return filter.Export();
}

StatusOr<FilterProgram> ProcessFilter(int listener, pid_t qemu) {
  Builder filter(Confined::kProcess);
  AllowThreadsAndPairs(filter);
  AllowDescriptors(filter);
  filter.Allow("accept4", {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(listener))});
  filter.Allow("tgkill", {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()))});
  if (qemu > 0) filter.Allow("kill", {SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(qemu))});
  return filter.Export();
}

size_t AllowedCalls(Confined who) {
  size_t count = 0;
  for (const auto names : {CommonCalls(), CallsOf(who), CheckedCalls(who)}) {
    count += static_cast<size_t>(
        std::ranges::count_if(names, [](std::string_view name) { return NumberOf(name) >= 0; }));
  }
  return count;
}

}  // namespace capsem::process
