// Platform: io_flusher; elsewhere: no child has it to take back.
#include "exec/exec_process.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

enum class Step : int { kPrepare, kUser, kFolder, kInterpreter, kProgram };

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

// What the process is told to run, on the request pipe: this, and then so many strings, each with
// its NUL: the folder, the PATH, argv, env.
struct Request {
  size_t bytes;  // of all strings
  uint32_t arguments, variables;
  uint32_t stdin_open;
  uint32_t uid;
};
// A request and the pointers to its strings. The largest (wire::kMaxExecStart) is one of a million
// empty arguments, with 8 bytes for each.
constexpr size_t kRequestMemory = size_t{16} << 20;
constexpr size_t kMaxRequest = size_t{4} << 20;
// A pipe holds so much from the start; more is asked for.
constexpr size_t kPipeBytes = 64 * 1024;

// Numbers of the child's descriptors above stderr; closed by the exec.
constexpr int kFailureFd = 3, kRequestFd = 4, kNullFd = 5;
using ChildFds = std::array<int, 6>;

void AppendString(std::string& out, const std::string& text) {
  out.append(text.c_str(), text.size() + 1);
}

std::string Encode(const ExecSpec& spec) {
  Request request{};
  std::string out(sizeof request, '\0');
  AppendString(out, spec.cwd);
  AppendString(out, spec.path);
  for (const std::string& text : spec.argv) AppendString(out, text);
  for (const std::string& text : spec.env) AppendString(out, text);
  request.bytes = out.size() - sizeof request;
  request.arguments = static_cast<uint32_t>(spec.argv.size());
  request.variables = static_cast<uint32_t>(spec.env.size());
  request.stdin_open = spec.stdin_open || spec.pty ? 1 : 0;
  request.uid = spec.uid;
  memcpy(out.data(), &request, sizeof request);
  return out;
}

// In the child, whose only memory this is: the agent's heap is a copy that it leaves alone.
struct Prepared {
  char** argv;
  char** envp;
  const char* cwd;
  const char* path;
  bool stdin_open;
  uid_t uid;
};

// In the child: the descriptors become 0, 1, 2, …, and there are no others. Sources that lie in the
// way are moved first.
template <size_t kCount>
bool PlaceDescriptors(std::array<int, kCount> fds) {
  for (int& fd : fds) {
    if (fd < static_cast<int>(kCount)) fd = fcntl(fd, F_DUPFD_CLOEXEC, kCount);
    if (fd < 0) return false;
  }
  for (size_t target = 0; target < kCount; ++target) {
    const int flags = target > STDERR_FILENO ? O_CLOEXEC : 0;
    if (dup3(fds[target], static_cast<int>(target), flags) < 0) return false;
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
    const sched_param no_priority{};
    sched_setscheduler(0, SCHED_OTHER, &no_priority);
  }
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(022);
}

// Reads the whole request; false: there will be none. The pipe holds all of it at once.
bool ReadRequest(char* memory, Prepared& prepared) {
  size_t have = 0;
  Request request{};
  while (have < sizeof request || have < sizeof request + request.bytes) {
    const ssize_t count = read(kRequestFd, memory + have, kMaxRequest - have);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    have += static_cast<size_t>(count);
    if (have >= sizeof request) memcpy(&request, memory, sizeof request);
  }
  char* text = memory + sizeof request;
  auto** next = reinterpret_cast<char**>(memory + (have + 15) / 16 * 16);
  const auto take = [&](uint32_t strings) {
    char** const first = next;
    for (; strings > 0; --strings, text += strlen(text) + 1) *next++ = text;
    *next++ = nullptr;
    return first;
  };
  prepared.cwd = *take(1);
  prepared.path = *take(1);
  prepared.argv = take(request.arguments);
  prepared.envp = take(request.variables);
  prepared.stdin_open = request.stdin_open != 0;
  prepared.uid = request.uid;
  return true;
}

// Tries one candidate; nullopt: there is no such file.
std::optional<Failure> ExecuteFile(const char* file, const Prepared& prepared) {
  execve(file, prepared.argv, prepared.envp);
  if (errno != ENOENT) return Failure{Step::kProgram, errno};
  // It is there: then it is what it names as its interpreter that is not.
  if (access(file, F_OK) == 0) return Failure{Step::kInterpreter, ENOENT};
  return std::nullopt;
}

// Goes through the PATH, as a shell does: a file that may not be executed is remembered while the
// search goes on.
Failure Execute(const Prepared& prepared) {
  const char* program = prepared.argv[0];
  Failure failure{Step::kProgram, ENOENT};
  if (strchr(program, '/') != nullptr) return ExecuteFile(program, prepared).value_or(failure);
  const size_t length = strlen(program);
  char file[PATH_MAX];
  for (const char* folder = prepared.path;; ++folder) {
    const char* end = strchrnul(folder, ':');
    const auto prefix = static_cast<size_t>(end - folder);
    if (prefix + length + 3 <= sizeof file) {
      memcpy(file, prefix == 0 ? "." : folder, std::max(prefix, size_t{1}));
      char* slash = file + std::max(prefix, size_t{1});
      *slash = '/';
      memcpy(slash + 1, program, length + 1);
      const std::optional<Failure> tried = ExecuteFile(file, prepared);
      const bool search_on = !tried || tried->error == EACCES || tried->error == ENOTDIR;
      if (tried && (!search_on || tried->step == Step::kInterpreter)) return *tried;
      if (tried && tried->error == EACCES) failure.error = EACCES;
    }
    if (*end == '\0') return failure;
    folder = end;
  }
}

[[noreturn]] void GiveUp(int pipe, Failure failure) {
  [[maybe_unused]] const ssize_t told = write(pipe, &failure, sizeof failure);
  _exit(127);
}

// The group of the same number and no others; a terminal becomes the user's own.
bool BecomeUser(uid_t uid) {
  if (uid == 0) return true;
  if (isatty(STDIN_FILENO) == 1 && fchown(STDIN_FILENO, uid, static_cast<gid_t>(-1)) != 0)
    return false;
  return setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 &&
         setresuid(uid, uid, uid) == 0;
}

[[noreturn]] void BecomeCommand(const ChildFds& fds, int proc_fd, bool terminal) {
  setsid();
  prctl(PR_SET_NAME, "capsem-ready");
  BecomeOrdinary(proc_fd);
  if (!PlaceDescriptors(fds)) GiveUp(fds[kFailureFd], {Step::kPrepare, errno});
  if (terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0)
    GiveUp(kFailureFd, {Step::kPrepare, errno});
  void* memory = mmap(nullptr, kRequestMemory, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GiveUp(kFailureFd, {Step::kPrepare, errno});
  memset(memory, 0, 4096);  // a small request meets no page fault
  Prepared prepared{};
  if (!ReadRequest(static_cast<char*>(memory), prepared)) _exit(0);
  if (!prepared.stdin_open && dup2(kNullFd, STDIN_FILENO) < 0)
    GiveUp(kFailureFd, {Step::kPrepare, errno});
  if (!BecomeUser(prepared.uid)) GiveUp(kFailureFd, {Step::kUser, errno});
  if (chdir(prepared.cwd) != 0) GiveUp(kFailureFd, {Step::kFolder, errno});
  GiveUp(kFailureFd, Execute(prepared));
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

// The child's ends of stdin, stdout and stderr.
struct StandardStreams {
  UniqueFd in, out, err;
};

StatusOr<StandardStreams> MakePipes(ExecProcess& process) {
  Pipe in = TRY(MakePipe());
  Pipe out = TRY(MakePipe());
  Pipe err = TRY(MakePipe());
  process.stdin_pipe = NonBlocking(std::move(in.write_end));
  process.stdout_pipe = NonBlocking(std::move(out.read_end));
  process.stderr_pipe = NonBlocking(std::move(err.read_end));
  return StandardStreams{std::move(in.read_end), std::move(out.write_end),
                         std::move(err.write_end)};
}

StatusOr<UniqueFd> Again(const UniqueFd& fd) {
  UniqueFd again(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!again.valid()) return FromErrno("duplicate a terminal");
  return again;
}

StatusOr<StandardStreams> MakeTerminal(const ExecEnvironment& environment, PtySize size,
                                       ExecProcess& process) {
  Pty pty = TRY(OpenPty(environment.ptmx_fd, environment.proc_fd, size));
  process.stdin_pipe = TRY(Again(pty.master));
  process.terminal = TRY(Again(pty.master));
  process.stdout_pipe = std::move(pty.master);
  UniqueFd out = TRY(Again(pty.peer));
  UniqueFd err = TRY(Again(pty.peer));
  return StandardStreams{std::move(pty.peer), std::move(out), std::move(err)};
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

StatusOr<ExecProcess> MakeExecProcess(const ExecEnvironment& environment, int group_fd,
                                      const std::optional<PtySize>& pty) {
  ExecProcess process;
  const StandardStreams theirs =
      TRY(pty ? MakeTerminal(environment, *pty, process) : MakePipes(process));
  Pipe failure = TRY(MakePipe());
  Pipe request = TRY(MakePipe());
  const ChildFds fds{theirs.in.get(),         theirs.out.get(),       theirs.err.get(),
                     failure.write_end.get(), request.read_end.get(), environment.null_fd};
  const pid_t pid = ForkInto(group_fd);
  if (pid < 0 && errno == EAGAIN)
    return ResourceExhausted("the machine runs as many processes as it may");
  if (pid < 0) return FromErrno("fork");
  if (pid == 0) BecomeCommand(fds, environment.proc_fd, pty.has_value());

  process.pid = pid;
  process.request_pipe = NonBlocking(std::move(request.write_end));
  process.failure_pipe = NonBlocking(std::move(failure.read_end));
  return process;
}

Status RunInProcess(ExecProcess& process, const ExecSpec& spec) {
  const std::string request = Encode(spec);
  const size_t pointers = (spec.argv.size() + spec.env.size() + 8) * sizeof(char*);
  if (request.size() > kMaxRequest || request.size() + pointers > kRequestMemory)
    return ResourceExhausted("the request is too large");
  // One write that never waits, and so never for a process that was stopped.
  if (request.size() > kPipeBytes &&
      fcntl(process.request_pipe.get(), F_SETPIPE_SZ, static_cast<int>(request.size())) < 0)
    return FromErrno("make room for a request of {} bytes", request.size());
  const ssize_t count = write(process.request_pipe.get(), request.data(), request.size());
  if (count < 0) return FromErrno("hand a request over");
  if (static_cast<size_t>(count) < request.size()) return Internal("a request went half over");
  return OkStatus();
}

std::optional<ExecFailure> ReadExecFailure(int failure_pipe, const ExecSpec& spec) {
  Failure failure;
  if (read(failure_pipe, &failure, sizeof failure) != sizeof failure) return std::nullopt;
  const char* why = strerror(failure.error);
  const std::string& program = spec.argv.front();
  if (failure.step == Step::kPrepare)
    return ExecFailure{126, fmt::format("cannot prepare `{}`: {}", program, why)};
  if (failure.step == Step::kUser)
    return ExecFailure{126, fmt::format("cannot become the user {}: {}", spec.uid, why)};
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

StatusOr<pid_t> ForkApart(const char* name, const std::array<int, 5>& fds,
                          const ExecEnvironment& environment, int group_fd,
                          const std::function<void()>& work) {
  const pid_t pid = ForkInto(group_fd);
  if (pid < 0 && errno == EAGAIN)
    return ResourceExhausted("the machine runs as many processes as it may");
  if (pid < 0) return FromErrno("fork");
  if (pid > 0) return pid;
  setsid();
  prctl(PR_SET_NAME, name);
  BecomeOrdinary(environment.proc_fd);
  if (!PlaceDescriptors(fds)) _exit(1);
  work();
  _exit(0);
}

}  // namespace capsem::agent
