#include "base/child.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem {
namespace {

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int fds[2];
    ENSURE(pipe2(fds, O_CLOEXEC) == 0);
    read.Reset(fds[0]);
    write.Reset(fds[1]);
  }
};

std::string ReadAll(int fd) {
  std::string text;
  char chunk[4096];
  for (ssize_t count; (count = read(fd, chunk, sizeof chunk)) > 0;) {
    text.append(chunk, static_cast<size_t>(count));
  }
  return text;
}

ChildSpec Shell(const std::string& script) {
  ChildSpec spec;
  spec.program = "/bin/sh";
  spec.args = {"-c", script};
  return spec;
}

// Runs it to its end: what it wrote to stdout, and how it ended.
struct Ran {
  std::string output;
  ExitReason reason;
};
Ran Run(TestLoop& loop, ChildSpec spec) {
  Pipe out;
  spec.stdout_fd = out.write.get();
  std::optional<ExitReason> reason;
  const auto child =
      VALUE_OF(Child::Spawn(loop, std::move(spec), [&](ExitReason ended) { reason = ended; }));
  out.write.Reset();
  Ran ran;
  ran.output = ReadAll(out.read.get());
  REQUIRE(loop.RunUntil([&] { return reason.has_value(); }));
  REQUIRE_FALSE(child->running());
  ran.reason = *reason;
  return ran;
}

TEST_CASE("how a child ended is told") {
  struct Case {
    const char* script;
    int code, signal;
    const char* text;
  };
  const auto c =
      GENERATE(Case{"exit 0", 0, 0, "exit code 0"}, Case{"exit 42", 42, 0, "exit code 42"},
               Case{"kill -KILL $$", 0, SIGKILL, "signal 9 (Killed)"},
               Case{"kill -TERM $$", 0, SIGTERM, "signal 15 (Terminated)"});
  INFO(c.script);
  TestLoop loop;
  const ExitReason reason = Run(loop, Shell(c.script)).reason;
  REQUIRE(reason.code == c.code);
  REQUIRE(reason.signal == c.signal);
  REQUIRE(reason.ToString() == c.text);
  REQUIRE(reason.clean() == (c.code == 0 && c.signal == 0));
}

TEST_CASE("the environment holds what the spec says and nothing else") {
  TestLoop loop;
  setenv("SECRET", "of the caller", 1);
  ChildSpec spec;
  spec.program = "/usr/bin/env";
  REQUIRE(Run(loop, std::move(spec)).output.empty());
  spec = {};
  spec.program = "/usr/bin/env";
  spec.env = {"A=1", "B=two words"};
  REQUIRE(Run(loop, std::move(spec)).output == "A=1\nB=two words\n");
  unsetenv("SECRET");
}

TEST_CASE("descriptors become 3, 4, 5, in their order, whatever their numbers were") {
  // Made before the loop takes low numbers for itself, so that sources and targets overlap.
  constexpr size_t kCount = 4;
  std::vector<UniqueFd> sources;
  for (size_t i = 0; i < kCount; ++i) {
    Pipe pipe;
    REQUIRE(write(pipe.write.get(), fmt::format("{}", i).data(), 1) == 1);
    sources.push_back(std::move(pipe.read));
  }
  std::vector<size_t> order;
  SECTION("as they are") { order = {0, 1, 2, 3}; }
  SECTION("the other way round") { order = {3, 2, 1, 0}; }
  SECTION("in a ring") { order = {1, 2, 3, 0}; }
  SECTION("two changed") { order = {0, 2, 1, 3}; }
  TestLoop loop;
  ChildSpec spec = Shell("cat <&3; cat <&4; cat <&5; cat <&6");
  std::string expected;
  for (const size_t i : order) {
    expected += fmt::format("{}", i);
    spec.fds.push_back(std::move(sources[i]));
  }
  REQUIRE(Run(loop, std::move(spec)).output == expected);
}

TEST_CASE("no other descriptor is left, and unnamed standard ones are /dev/null") {
  TestLoop loop;
  const UniqueFd leak(fcntl(STDERR_FILENO, F_DUPFD, 50));  // not close-on-exec
  Pipe given;
  ChildSpec spec;
  spec.program = "/bin/ls";
  spec.args = {"/proc/self/fd"};
  spec.fds.push_back(std::move(given.read));
  // 4 is of ls itself: the folder it reads.
  REQUIRE(Run(loop, std::move(spec)).output == "0\n1\n2\n3\n4\n");
  REQUIRE(Run(loop, Shell("readlink /proc/self/fd/0 /proc/self/fd/2")).output ==
          "/dev/null\n/dev/null\n");
}

TEST_CASE("standard descriptors are borrowed, also when they are given crosswise") {
  TestLoop loop;
  Pipe in, err;
  REQUIRE(write(in.write.get(), "typed", 5) == 5);
  in.write.Reset();
  ChildSpec spec = Shell("cat; echo oops >&2");
  spec.stdin_fd = in.read.get();
  spec.stderr_fd = err.write.get();
  REQUIRE(Run(loop, std::move(spec)).output == "typed");
  err.write.Reset();  // still ours
  REQUIRE(ReadAll(err.read.get()) == "oops\n");
}

TEST_CASE("a program that cannot be started is an error with the reason") {
  const TempDir dir;
  UniqueFd(open((dir / "plain").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)).Reset();
  struct Case {
    std::string program, cwd;
    StatusCode code;
  };
  const std::vector<Case> cases = {{"/no/such/program", "/", StatusCode::kNotFound},
                                   {"sh", "/", StatusCode::kNotFound},
                                   {dir / "plain", "/", StatusCode::kPermissionDenied},
                                   {dir.path(), "/", StatusCode::kPermissionDenied},
                                   {"/bin/true", "/no/such/folder", StatusCode::kNotFound}};
  TestLoop loop;
  for (const Case& c : cases) {
    INFO(c.program << " in " << c.cwd);
    ChildSpec spec;
    spec.program = c.program;
    spec.cwd = c.cwd;
    bool told = false;
    const auto child = Child::Spawn(loop, std::move(spec), [&](ExitReason) { told = true; });
    REQUIRE(child.status().code() == c.code);
    REQUIRE(Message(child.status()).find(c.program) != std::string::npos);
    loop.RunReady();
    REQUIRE_FALSE(told);
  }
  REQUIRE(waitpid(-1, nullptr, WNOHANG) == -1);  // none is left
}

TEST_CASE("a child starts in its folder, with default signals, and without new privileges") {
  TestLoop loop;
  const TempDir dir;
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  ChildSpec spec = Shell("pwd; grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status");
  spec.cwd = dir.path();
  const std::string output = Run(loop, std::move(spec)).output;
  sigset_t after;
  sigprocmask(SIG_SETMASK, &before, &after);
  REQUIRE(output ==
          dir.path() + "\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nNoNewPrivs:\t1\n");
  // Spawn leaves the caller's own mask as it was.
  REQUIRE(sigismember(&after, SIGUSR1) == 1);
  REQUIRE(sigismember(&after, SIGTERM) == 0);
}

TEST_CASE("a session of its own is made when it is asked for") {
  const bool wanted = GENERATE(true, false);
  TestLoop loop;
  ChildSpec spec;
  spec.program = "/usr/bin/cut";
  spec.args = {"-d ", "-f1,6", "/proc/self/stat"};
  spec.new_session = wanted;
  const std::string output = Run(loop, std::move(spec)).output;
  const size_t space = output.find(' ');
  const bool own = output.substr(0, space) == output.substr(space + 1, space);
  REQUIRE(own == wanted);
}

TEST_CASE("another uid is taken whole, or refused") {
  TestLoop loop;
  ChildSpec spec = Shell("id -u; id -g; id -G");
  spec.uid = 65534;
  if (geteuid() == 0) {
    REQUIRE(Run(loop, std::move(spec)).output == "65534\n65534\n65534\n");
  } else {
    REQUIRE_CODE(Child::Spawn(loop, std::move(spec), [](ExitReason) {}), kPermissionDenied);
  }
}

// Denies mkdir, execve, execveat of all but kExecFd, and signals of a shell to others.
std::vector<sock_filter> SmallFilter() {
  constexpr auto kJumpIf = static_cast<uint16_t>(BPF_JMP | BPF_JEQ | BPF_K);
  constexpr auto kLoad = static_cast<uint16_t>(BPF_LD | BPF_W | BPF_ABS);
  constexpr auto kReturn = static_cast<uint16_t>(BPF_RET | BPF_K);
  constexpr uint32_t kNumber = offsetof(seccomp_data, nr);
  constexpr uint32_t kFirst = offsetof(seccomp_data, args[0]);
  return {{kLoad, 0, 0, kNumber},
          {kJumpIf, 6, 0, SYS_mkdir},
          {kJumpIf, 5, 0, SYS_execve},
          {kJumpIf, 2, 0, SYS_execveat},
          {kJumpIf, 4, 0, SYS_kill},
          {kReturn, 0, 0, SECCOMP_RET_ALLOW},
          {kLoad, 0, 0, kFirst},
          {kJumpIf, 3, 0, kExecFd},
          {kReturn, 0, 0, SECCOMP_RET_ERRNO | EPERM},
          {kLoad, 0, 0, kFirst},
          {kJumpIf, 0, 1, kFilterOwnPid},
          {kReturn, 0, 0, SECCOMP_RET_ALLOW},
          {kReturn, 0, 0, SECCOMP_RET_ERRNO | EACCES}};
}

// Into a real cgroup: tests/capsem-confinement/test_cgroup.py.
TEST_CASE("a child that cannot be born in its cgroup is born beside its parent, and that is told") {
  TestLoop loop;
  const TempDir dir;
  const UniqueFd folder(open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Pipe out;
  ChildSpec spec = Shell("read line < /proc/self/cgroup && echo \"$line\"");
  const bool is_none = GENERATE(true, false);
  spec.group_fd = is_none ? 1 << 20 : folder.get();
  spec.stdout_fd = out.write.get();
  std::optional<ExitReason> reason;
  const auto child =
      VALUE_OF(Child::Spawn(loop, std::move(spec), [&](ExitReason ended) { reason = ended; }));
  out.write.Reset();
  REQUIRE_FALSE(child->group_refusal().ok());
  const UniqueFd own(open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
  const std::string groups = ReadAll(own.get());
  REQUIRE(ReadAll(out.read.get()) == groups.substr(0, groups.find('\n') + 1));
  REQUIRE(loop.RunUntil([&] { return reason.has_value(); }));
  REQUIRE(VALUE_OF(Child::Spawn(loop, Shell("true"), [](ExitReason) {}))->group_refusal().ok());
}

TEST_CASE("a child with a filter is executed, and executes nothing afterwards") {
  TestLoop loop;
  const TempDir dir;
  ChildSpec spec = Shell(
      "mkdir x || echo no folder; /bin/true || echo no program; kill -0 $PPID || echo no signal; "
      "kill -0 $$ && echo itself; ulimit -n");
  spec.cwd = dir.path();
  SECTION("with one") {
    spec.filter = SmallFilter();
    const Ran ran = Run(loop, std::move(spec));
    REQUIRE(ran.output == "no folder\nno program\nno signal\nitself\n1023\n");
  }
  SECTION("without one all of it works") {
    const Ran ran = Run(loop, std::move(spec));
    REQUIRE(ran.output.find("no ") == std::string::npos);
  }
}

TEST_CASE("a child whose filter or program is no good is an error") {
  TestLoop loop;
  ChildSpec bad = Shell("true");
  bad.filter = {{0xffff, 0, 0, 0}};
  REQUIRE_FALSE(Child::Spawn(loop, std::move(bad), [](ExitReason) {}).ok());
  ChildSpec missing;
  missing.program = "/no/such/program";
  missing.filter = SmallFilter();
  REQUIRE_CODE(Child::Spawn(loop, std::move(missing), [](ExitReason) {}), kNotFound);
}

TEST_CASE("Stop asks first, and kills whoever does not listen") {
  struct Case {
    const char* script;
    std::chrono::milliseconds grace;
    int signal;
  };
  const auto c = GENERATE(
      Case{"echo ready; exec sleep 1000", std::chrono::hours(1), SIGTERM},
      Case{"trap '' TERM; echo ready; exec sleep 1000", std::chrono::milliseconds(1), SIGKILL});
  TestLoop loop;
  Pipe out;
  ChildSpec spec = Shell(c.script);
  spec.stdout_fd = out.write.get();
  std::optional<ExitReason> reason;
  const auto child =
      VALUE_OF(Child::Spawn(loop, std::move(spec), [&](ExitReason ended) { reason = ended; }));
  char ready[6];
  REQUIRE(read(out.read.get(), ready, sizeof ready) == sizeof ready);
  child->Stop(c.grace);
  REQUIRE(loop.RunUntil([&] { return reason.has_value(); }));
  REQUIRE(reason->signal == c.signal);
  child->Stop(c.grace);  // nothing happens any more
  child->Signal(SIGKILL);
}

TEST_CASE("a child may be destroyed when its end is told") {
  TestLoop loop;
  std::unique_ptr<Child> child;
  int told = 0;
  child = VALUE_OF(Child::Spawn(loop, Shell("exit 1"), [&](ExitReason) {
    ++told;
    child.reset();
  }));
  REQUIRE(told == 0);
  REQUIRE(loop.RunUntil([&] { return child == nullptr; }));
  loop.RunReady();
  REQUIRE(told == 1);
}

TEST_CASE("a child that is destroyed while it runs is killed and reaped") {
  TestLoop loop;
  bool told = false;
  auto child =
      VALUE_OF(Child::Spawn(loop, Shell("exec sleep 1000"), [&](ExitReason) { told = true; }));
  const pid_t pid = child->pid();
  child.reset();
  // Not even a zombie is left.
  REQUIRE(kill(pid, 0) != 0);
  REQUIRE(errno == ESRCH);
  loop.RunReady();
  REQUIRE_FALSE(told);
}

TEST_CASE("with a parent-death signal a child dies with the parent, however that ends") {
  REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  Pipe told;
  const pid_t parent = fork();
  REQUIRE(parent >= 0);
  if (parent == 0) {
    TestLoop loop;
    ChildSpec spec = Shell("exec sleep 1000");
    spec.parent_death_signal = SIGKILL;
    const auto child = Child::Spawn(loop, std::move(spec), [](ExitReason) {});
    const pid_t pid = child.ok() ? (*child)->pid() : 0;
    ENSURE(write(told.write.get(), &pid, sizeof pid) == sizeof pid);
    while (true) pause();
  }
  pid_t child = 0;
  REQUIRE(read(told.read.get(), &child, sizeof child) == sizeof child);
  REQUIRE(child > 0);
  kill(parent, SIGKILL);
  REQUIRE(waitpid(parent, nullptr, 0) == parent);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
}

}  // namespace
}  // namespace capsem
