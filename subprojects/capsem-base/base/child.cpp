// Platform: pidfd; elsewhere: Spawn fails with the kernel's error (Linux before 5.4).
// Platform: close_range; elsewhere: Spawn fails with the kernel's error (Linux before 5.11).
// Platform: seccomp; elsewhere: Spawn of a child with a filter fails with the kernel's error.
#include "base/child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace capsem {
namespace {

// Everything the child needs, prepared before the fork: between fork and exec only system calls are
// allowed, for another thread may have held any lock at that moment.
struct Prepared {
  const ChildSpec* spec;
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::vector<int> fds;  // sources of descriptors 0, 1, 2, 3, …
  pid_t parent;
  int error_pipe;
  std::vector<sock_filter> filter;
};

std::vector<char*> Pointers(const std::vector<std::string>& strings, const std::string* first) {
  std::vector<char*> pointers;
  if (first != nullptr) pointers.push_back(const_cast<char*>(first->c_str()));
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

Prepared Prepare(const ChildSpec& spec, int error_pipe) {
  return {.spec = &spec,
          .argv = Pointers(spec.args, &spec.program),
          .envp = Pointers(spec.env, nullptr),
          .fds = {},
          .parent = getpid(),
          .error_pipe = error_pipe,
          .filter = spec.filter};
}

// In the child. Sources are moved out of the way of the targets first, then into place.
int PlaceDescriptors(Prepared& prepared) {
  const int count = static_cast<int>(prepared.fds.size());
  prepared.error_pipe = fcntl(prepared.error_pipe, F_DUPFD_CLOEXEC, count);
  if (prepared.error_pipe < 0) return -1;
  for (int& fd : prepared.fds) {
    fd = fcntl(fd, F_DUPFD_CLOEXEC, count);
    if (fd < 0) return -1;
  }
  for (int target = 0; target < count; ++target) {
    if (dup2(prepared.fds[static_cast<size_t>(target)], target) < 0) return -1;
  }
  return static_cast<int>(syscall(SYS_close_range, count, ~0U, CLOSE_RANGE_CLOEXEC));
}

// In the child: see kExecFd. The limit comes after the descriptor, which lies beyond it.
int OpenForExec(const char* program) {
  const int fd = open(program, O_PATH | O_CLOEXEC);
  if (fd < 0 || fcntl(fd, F_DUPFD_CLOEXEC, kExecFd) != kExecFd) return -1;
  const rlimit limit = {kExecFd, kExecFd};
  return setrlimit(RLIMIT_NOFILE, &limit);
}

int PutFilterOn(std::vector<sock_filter>& filter) {
  const auto own_pid = static_cast<uint32_t>(getpid());
  for (sock_filter& step : filter) {
    if (BPF_CLASS(step.code) == BPF_JMP && step.k == kFilterOwnPid) step.k = own_pid;
  }
  const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int Execute(Prepared& prepared) {
  const char* program = prepared.spec->program.c_str();
  if (prepared.filter.empty()) return execve(program, prepared.argv.data(), prepared.envp.data());
  if (OpenForExec(program) != 0 || PutFilterOn(prepared.filter) != 0) return -1;
  return static_cast<int>(syscall(SYS_execveat, kExecFd, "", prepared.argv.data(),
                                  prepared.envp.data(), AT_EMPTY_PATH));
}

int BecomeChild(Prepared& prepared) {
  const ChildSpec& spec = *prepared.spec;
  if (spec.new_session && setsid() < 0) return -1;
  if (PlaceDescriptors(prepared) != 0) return -1;
  for (int signal = 1; signal < 32; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (spec.uid && (setgroups(0, nullptr) != 0 || setresgid(*spec.uid, *spec.uid, *spec.uid) != 0 ||
                   setresuid(*spec.uid, *spec.uid, *spec.uid) != 0)) {
    return -1;
  }
  // After the change of uid, which clears the death signal; and the parent may be gone already.
  if (spec.parent_death_signal != 0) {
    if (prctl(PR_SET_PDEATHSIG, spec.parent_death_signal) != 0) return -1;
    if (getppid() != prepared.parent) _exit(0);
  }
  if (spec.no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  if (chdir(spec.cwd.c_str()) != 0) return -1;
  return Execute(prepared);
}

// As fork. Into a group the kernel puts the child in one go, where the move of a living process
// would wait for every other to leave its critical sections. No atfork handlers are run: libuv's
// would close descriptors that are ours by then.
pid_t ForkInto(int group_fd) {
  if (group_fd < 0) return _Fork();
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<uint64_t>(group_fd);
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
}

// `group_error` says why the child is not in its group.
pid_t Fork(int group_fd, int& group_error) {
  const pid_t pid = ForkInto(group_fd);
  if (pid >= 0 || group_fd < 0) return pid;
  group_error = errno;
  return ForkInto(-1);
}

// A signal that came between fork and exec would run this process's handlers in the child, which
// write into pipes that the two share: the child would lose it, and the parent would hear it.
pid_t ForkWithSignalsBlocked(int group_fd, int& group_error) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = Fork(group_fd, group_error);
  const int error = errno;
  if (pid != 0) pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

ExitReason ReasonOf(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {info.si_status, 0};
  return {0, info.si_status};
}

}  // namespace

std::string ExitReason::ToString() const {
  if (signal != 0) return fmt::format("signal {} ({})", signal, strsignal(signal));
  return fmt::format("exit code {}", code);
}

StatusOr<std::unique_ptr<Child>> Child::Spawn(Loop& loop, ChildSpec spec, OnExit on_exit) {
  loop.AssertOwned();
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return FromErrno("open /dev/null");
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC) != 0) return FromErrno("pipe");
  UniqueFd read_end(error_pipe[0]);
  UniqueFd write_end(error_pipe[1]);

  Prepared prepared = Prepare(spec, write_end.get());
  for (const int fd : {spec.stdin_fd, spec.stdout_fd, spec.stderr_fd})
    prepared.fds.push_back(fd < 0 ? null.get() : fd);
  for (const UniqueFd& fd : spec.fds) prepared.fds.push_back(fd.get());

  int group_error = 0;
  const pid_t pid = ForkWithSignalsBlocked(spec.group_fd, group_error);
  if (pid < 0) return FromErrno("fork for {}", spec.program);
  if (pid == 0) {
    BecomeChild(prepared);
    const int error = errno;
    [[maybe_unused]] const ssize_t told = write(prepared.error_pipe, &error, sizeof error);
    _exit(127);
  }
  write_end.Reset();
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  int error = 0;
  ssize_t count;
  do {
    count = read(read_end.get(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  if (count != 0 || !pidfd.valid()) {
    if (count == 0) error = errno;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return ErrnoStatus(error, fmt::format("start {}", spec.program));
  }
  std::unique_ptr<Child> child(new Child(loop, pid, std::move(pidfd), std::move(on_exit)));
  if (group_error != 0) child->group_refusal_ = ErrnoStatus(group_error, "be born in a cgroup");
  return child;
}

Child::Child(Loop& loop, pid_t pid, UniqueFd pidfd, OnExit on_exit)
    : pid_(pid),
      pidfd_(std::move(pidfd)),
      on_exit_(std::move(on_exit)),
      kill_timer_(loop),
      watch_(loop, pidfd_.get(), [this](int) { OnEnded(); }) {
  watch_.Want(FdWatch::kReadable);
}

Child::~Child() {
  if (!running_) return;
  Signal(SIGKILL);
  // By pid, which is ours until it is reaped: libuv has made the pidfd non-blocking, and a wait on
  // it would answer EAGAIN and leave a zombie.
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Child::Signal(int signal) {
  // The pid is ours until it is reaped, and a filter can tell it from all others, which it cannot
  // do with a pidfd.
  if (running_) kill(pid_, signal);
}

void Child::Release() {
  running_ = false;
  watch_.Want(0);
  kill_timer_.Cancel();
}

void Child::Stop(std::chrono::milliseconds grace) {
  Signal(SIGTERM);
  kill_timer_.Start(grace, [this] { Signal(SIGKILL); });
}

void Child::OnEnded() {
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0)
    return;
  running_ = false;
  watch_.Want(0);
  kill_timer_.Cancel();
  OnExit on_exit = std::move(on_exit_);  // it may destroy this
  on_exit(ReasonOf(info));
}

}  // namespace capsem
