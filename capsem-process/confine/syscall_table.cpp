// Platform: close_range; elsewhere: the name has no number, and no filter has it.
// Platform: memfd; elsewhere: the name has no number, and no filter has it.
// Platform: openat2; elsewhere: the name has no number, and no filter has it.
#include "confine/syscall_table.h"

namespace capsem::process {
namespace {

// What a program needs that computes, waits, and works with files that it may open (Landlock says
// which) and descriptors that it has. Nothing that changes a file by its path alone and is not
// Landlock's business: chmod, chown, utimes, xattr, truncate.
constexpr std::string_view kCommon[] = {
    // memory
    "brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "mincore", "msync", "membarrier",
    "mlock", "munlock", "memfd_create",
    // threads
    "exit", "exit_group", "futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq",
    "set_tid_address", "gettid", "getpid", "getppid", "sched_yield", "sched_getaffinity",
    "sched_getparam", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min",
    "getcpu", "arch_prctl", "restart_syscall", "getpriority",
    // signals to itself
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending",
    "rt_sigsuspend", "sigaltstack", "signalfd4", "wait4", "waitid",
    // time
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
    "times", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete",
    "timerfd_create", "timerfd_settime", "timerfd_gettime", "setitimer", "getitimer",
    // files
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "open", "openat", "openat2", "close", "close_range", "dup", "dup2", "dup3", "flock",
    "lseek", "stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "chdir", "fchdir",
    "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "fchmod",
    "umask", "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "copy_file_range",
    "sendfile", "splice", "fadvise64", "readahead", "pipe", "pipe2", "fgetxattr",
    // waiting
    "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2",
    // sockets that it has
    "sendmsg", "recvmsg", "sendto", "recvfrom", "sendmmsg", "recvmmsg", "getsockopt", "setsockopt",
    "getsockname", "getpeername", "shutdown",
    // who and where it is
    "uname", "sysinfo", "getrandom", "getrlimit", "getrusage", "getuid", "geteuid", "getgid",
    "getegid", "getresuid", "getresgid", "getgroups", "getpgrp", "getpgid", "getsid", "capget"};

constexpr std::string_view kOfQemu[] = {
    // its own filter (-sandbox), on top of this one
    "seccomp",
    // which node of a machine with several the guest's memory is on
    "mbind", "set_mempolicy", "get_mempolicy", "mlock2"};

constexpr std::string_view kCheckedOfProcess[] = {
    "accept4", "clone", "fcntl", "ioctl", "kill", "prctl", "prlimit64", "socketpair", "tgkill"};
constexpr std::string_view kCheckedOfQemu[] = {"clone", "execveat",  "fcntl",      "ioctl",
                                               "prctl", "prlimit64", "socketpair", "tgkill"};

// Libraries take their older way when these do not exist: clone3, whose flags lie in memory, where
// no filter sees them.
constexpr std::string_view kMissing[] = {"clone3"};

}  // namespace

std::span<const std::string_view> CommonCalls() { return kCommon; }

std::span<const std::string_view> CallsOf(Confined who) {
  if (who == Confined::kQemu) return kOfQemu;
  return {};
}

std::span<const std::string_view> CheckedCalls(Confined who) {
  if (who == Confined::kQemu) return kCheckedOfQemu;
  return kCheckedOfProcess;
}

std::span<const std::string_view> MissingCalls() { return kMissing; }

}  // namespace capsem::process
