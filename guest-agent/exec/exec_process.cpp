// Platform: io_flusher; elsewhere: no child has it to take back.
#include "exec/exec_process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace capsem::agent {
namespace {

// What systemd gives a service: the agent's own limit is far higher than select() can bear.
constexpr rlimit kDescriptors{1024, 512 * 1024};

enum class Step : int { kPrepare, kFolder, kInterpreter, kProgram };

// On the failure pipe, whole or not at all.
struct Failure {
  Step step;
  int error;
};

// As fork, into a cgroup. The kernel does it in one go, where the move of a living process would
// have to wait for all others to leave their critical sections.
pid_t ForkInto(int group_fd) {
  if (group_fd < 0) return _Fork();  // no atfork handlers: libuv's would touch descriptors
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<uint64_t>(group_fd);
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Candidates(const ExecSpec& spec) {
  const std::string& program = spec.argv.front();
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> candidates;
  for (size_t start = 0; start <= spec.path.size();) {
    const size_t end = std::min(spec.path.find(':', start), spec.path.size());
    const std::string folder = spec.path.substr(start, end - start);
    candidates.push_back((folder.empty() ? "." : folder) + "/" + program);
    start = end + 1;
  }
  return candidates;
}

// Everything the child needs, made before the fork: the child only makes system calls.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> envp;
  const char* cwd;
  std::vector<std::string> candidates;  // of the program, in order
  std::array<int, 4> fds;               // become 0, 1, 2 and the failure pipe, 3
  int proc_fd;
};
constexpr int kFailureFd = 3;

// In the child: the descriptors become 0, 1, 2, …, and there are no others. Sources that lie in the
// way are moved first.
template <size_t kCount>
bool PlaceDescriptors(std::array<int, kCount> fds) {
  for (int& fd : fds) {
    if (fd < static_cast<int>(kCount)) fd = fcntl(fd, F_DUPFD_CLOEXEC, kCount);
    if (fd < 0) return false;
  }
  for (size_t target = 0; target < kCount; ++target) {
    if (dup2(fds[target], static_cast<int>(target)) < 0) return false;
  }
  // Closed now and not only at the exec: the exec may hang on a user's file system, and until then
  // no other command's pipe may seem to be in use.
  return syscall(SYS_close_range, kCount, ~0U, 0) == 0;
}

// Takes back what protects the agent and what it has made of its signals.
void BecomeOrdinary(int proc_fd) {
  if (proc_fd >= 0) {
    const int file = openat(proc_fd, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    [[maybe_unused]] const ssize_t done = write(file, "0", 1);
    close(file);
    prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
    setrlimit(RLIMIT_NOFILE, &kDescriptors);
  }
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(022);
}

// Tries one candidate after the other, as a shell does: a file that may not be executed is
// remembered while the search goes on.
Failure Execute(const Prepared& prepared) {
  Failure failure{Step::kProgram, ENOENT};
  for (const std::string& candidate : prepared.candidates) {
    execve(candidate.c_str(), prepared.argv.data(), prepared.envp.data());
    if (errno == EACCES) failure.error = EACCES;
    const bool search_on = errno == EACCES || errno == ENOTDIR;
    if (search_on && prepared.candidates.size() > 1) continue;
    if (errno != ENOENT) return {Step::kProgram, errno};
    // It is there: then it is what it names as its interpreter that is not.
    if (access(candidate.c_str(), F_OK) == 0) return {Step::kInterpreter, ENOENT};
  }
  return failure;
}

[[noreturn]] void BecomeCommand(const Prepared& prepared) {
  setsid();
  BecomeOrdinary(prepared.proc_fd);
  Failure failure{Step::kPrepare, 0};
  int pipe = prepared.fds[kFailureFd];
  if (PlaceDescriptors(prepared.fds) && fcntl(kFailureFd, F_SETFD, FD_CLOEXEC) == 0) {
    pipe = kFailureFd;
    failure.step = Step::kFolder;
    if (chdir(prepared.cwd) == 0) {
      failure = Execute(prepared);
      errno = failure.error;
    }
  }
  failure.error = errno;
  [[maybe_unused]] const ssize_t told = write(pipe, &failure, sizeof failure);
  _exit(127);
}

struct Pipe {
  UniqueFd read_end, write_end;
};

StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return FromErrno("make a pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// Ours alone: the command's ends stay blocking, as programs expect.
UniqueFd NonBlocking(UniqueFd fd) {
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  return fd;
}

[[noreturn]] void Drain(bool first, bool second) {
  pollfd watched[2] = {{first ? 0 : -1, POLLIN, 0}, {second ? 1 : -1, POLLIN, 0}};
  char nowhere[16 * 1024];
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    poll(watched, 2, -1);
    for (pollfd& source : watched) {
      if (source.fd < 0 || source.revents == 0) continue;
      const ssize_t count = read(source.fd, nowhere, sizeof nowhere);
      if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) source.fd = -1;
    }
  }
  _exit(0);
}

}  // namespace

StatusOr<ExecProcess> StartExecProcess(const ExecSpec& spec, const ExecEnvironment& environment,
                                       int group_fd) {
  Pipe out = TRY(MakePipe());
  Pipe err = TRY(MakePipe());
  Pipe failure = TRY(MakePipe());
  Pipe in;
  if (spec.stdin_open) in = TRY(MakePipe());

  const int input = spec.stdin_open ? in.read_end.get() : environment.null_fd;
  const Prepared prepared{
      Pointers(spec.argv),
      Pointers(spec.env),
      spec.cwd.c_str(),
      Candidates(spec),
      {input, out.write_end.get(), err.write_end.get(), failure.write_end.get()},
      environment.proc_fd};
  const pid_t pid = ForkInto(group_fd);
  if (pid < 0 && errno == EAGAIN)
    return ResourceExhausted("the machine runs as many processes as it may");
  if (pid < 0) return FromErrno("fork");
  if (pid == 0) BecomeCommand(prepared);

  ExecProcess process;
  process.pid = pid;
  if (spec.stdin_open) process.stdin_pipe = NonBlocking(std::move(in.write_end));
  process.stdout_pipe = NonBlocking(std::move(out.read_end));
  process.stderr_pipe = NonBlocking(std::move(err.read_end));
  process.failure_pipe = NonBlocking(std::move(failure.read_end));
  return process;
}

std::optional<ExecFailure> ReadExecFailure(int failure_pipe, const ExecSpec& spec) {
  Failure failure;
  if (read(failure_pipe, &failure, sizeof failure) != sizeof failure) return std::nullopt;
  const char* why = strerror(failure.error);
  const std::string& program = spec.argv.front();
  if (failure.step == Step::kPrepare)
    return ExecFailure{126, fmt::format("cannot prepare `{}`: {}", program, why)};
  if (failure.step == Step::kFolder)
    return ExecFailure{126, fmt::format("cannot enter the folder {}: {}", spec.cwd, why)};
  if (failure.step == Step::kInterpreter)
    return ExecFailure{127, fmt::format("cannot run `{}`: its interpreter is missing", program)};
  if (failure.error != ENOENT)
    return ExecFailure{126, fmt::format("cannot run `{}`: {}", program, why)};
  if (program.find('/') != std::string::npos)
    return ExecFailure{127, fmt::format("there is no program {}", program)};
  return ExecFailure{127, fmt::format("there is no `{}` in {}", program, spec.path)};
}

Status StartDrain(UniqueFd first, UniqueFd second, const ExecEnvironment& environment,
                  int group_fd) {
  const int unused = environment.null_fd;
  const std::array<int, 2> fds{first.valid() ? first.get() : unused,
                               second.valid() ? second.get() : unused};
  const pid_t pid = ForkInto(group_fd);
  if (pid < 0) return FromErrno("fork");
  if (pid > 0) return OkStatus();
  setsid();
  prctl(PR_SET_NAME, "capsem-drain");
  BecomeOrdinary(environment.proc_fd);
  if (!PlaceDescriptors(fds)) _exit(1);
  Drain(first.valid(), second.valid());
}

}  // namespace capsem::agent
