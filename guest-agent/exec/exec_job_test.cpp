#include "exec/exec_job.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "exec/testing/exec_host.h"

namespace capsem::agent {

using wire::FrameKind;

namespace {

// What a command that was asked to live writes, and when: read from another process.
// A process that has ended and that its new parent has not reaped yet does not live.
bool Lives(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.at(name_end + 2) != 'Z';
}

pid_t PidIn(const std::string& path) {
  pid_t pid = 0;
  std::ifstream(path) >> pid;
  return pid;
}

}  // namespace

TEST_CASE("a command's exit code is its own") {
  ExecHost host;
  host.table().Enable({});
  TempDir dir;
  std::ofstream(dir / "script") << "#!/no/such/interpreter\n";
  chmod((dir / "script").c_str(), 0755);
  std::ofstream(dir / "data") << "data";
  struct Case {
    std::vector<std::string> argv;
    uint32_t code;
    uint32_t signal;
    std::string error;
  };
  const Case cases[] = {
      {{"/bin/true"}, 0, 0, ""},
      {{"false"}, 1, 0, ""},
      {{"sh", "-c", "exit 42"}, 42, 0, ""},
      {{"sh", "-c", "exit 126"}, 126, 0, ""},
      {{"sh", "-c", "kill -9 $$"}, 137, 9, ""},
      {{"sh", "-c", "kill -TERM $$"}, 143, 15, ""},
      {{"/no/such/program"}, 127, 0, "there is no program /no/such/program"},
      {{"no-such-program"}, 127, 0, "there is no `no-such-program` in "},
      {{dir / "script"}, 127, 0, "its interpreter is missing"},
      {{dir / "data"}, 126, 0, "Permission denied"},
      {{"/"}, 126, 0, "Permission denied"},
      {{"/bin/sh/x"}, 126, 0, "Not a directory"},
  };
  for (const Case& c : cases) {
    INFO(c.argv[0]);
    auto start = ExecHost::Command({});
    for (const std::string& argument : c.argv) start.add_argv(argument);
    const HostedExec& exec = host.Run(start);
    REQUIRE(exec.exit->code() == c.code);
    REQUIRE(exec.exit->signal() == c.signal);
    REQUIRE(exec.exit->error().find(c.error) != std::string::npos);
    REQUIRE(exec.exit->error().empty() == c.error.empty());
    REQUIRE(exec.started == c.error.empty());
    REQUIRE_FALSE(exec.exit->timed_out());
    REQUIRE(exec.exit->duration_us() > 0);
  }
}

TEST_CASE("stdout and stderr are apart, and each is whole before the exit") {
  ExecHost host;
  host.table().Enable({});
  const HostedExec& exec = host.Run(ExecHost::Shell("echo out; echo err >&2; echo out2; exit 3"));
  REQUIRE(exec.out == "out\nout2\n");
  REQUIRE(exec.err == "err\n");
  REQUIRE(exec.exit->code() == 3);
}

TEST_CASE("a command runs where it was told, with what it was told") {
  ExecHost host;
  host.table().Enable({{"A", "session"}, {"B", "b"}});
  TempDir dir;
  auto start = ExecHost::Shell("pwd; echo $A $B $C; umask; ulimit -n; echo \"$0\" \"$1\"");
  start.add_argv("zero");
  start.add_argv("a  b");
  start.set_cwd(dir.path());
  (*start.mutable_env())["A"] = "request";
  const HostedExec& exec = host.Run(start);
  REQUIRE(exec.out.find(dir.path() + "\nrequest b\n0022\n") == 0);
  REQUIRE(exec.out.find("zero a  b\n") != std::string::npos);
  REQUIRE(host.Run(ExecHost::Shell("echo ${A-none}")).out == "session\n");
}

TEST_CASE("a folder that is not there is 126 and named") {
  ExecHost host;
  host.table().Enable({});
  auto start = ExecHost::Command({"/bin/true"});
  start.set_cwd("/no/such/folder");
  const HostedExec& exec = host.Run(start);
  REQUIRE(exec.exit->code() == 126);
  REQUIRE(exec.exit->error() ==
          "cannot enter the folder /no/such/folder: No such file or directory");
}

TEST_CASE("a command has three descriptors, its own session and no blocked signals") {
  ExecHost host;
  host.table().Enable({});
  REQUIRE(host.Run(ExecHost::Shell("echo /proc/self/fd/*")).out ==
          "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");
  REQUIRE(host.Run(ExecHost::Shell("test $(cut -d' ' -f6 /proc/$$/stat) = $$")).exit->code() == 0);
  const HostedExec& signals =
      host.Run(ExecHost::Command({"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}));
  REQUIRE(signals.out == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("without stdin a command reads nothing; with it, every byte and then its end") {
  ExecHost host;
  host.table().Enable({});
  REQUIRE(host.Run(ExecHost::Command({"cat"})).out.empty());
  auto start = ExecHost::Command({"cat"});
  start.set_stdin_open(true);
  HostedExec& exec = host.Begin(start);
  std::string sent;
  for (int block = 0; block < 64; ++block) {
    const std::string bytes(50000, static_cast<char>('a' + block % 26));
    host.Send(exec, FrameKind::kExecStdin, bytes);
    sent += bytes;
  }
  host.Send(exec, FrameKind::kExecStdinEof, "");
  REQUIRE(host.Finish(exec).out == sent);
}

TEST_CASE("stdin also ends when the host has finished its half") {
  ExecHost host;
  host.table().Enable({});
  auto start = ExecHost::Command({"cat"});
  start.set_stdin_open(true);
  HostedExec& exec = host.Begin(start);
  host.Send(exec, FrameKind::kExecStdin, "last words");
  host.FinishWriting(exec);
  REQUIRE(host.Finish(exec).out == "last words");
}

TEST_CASE("stdin that nobody reads keeps neither the command nor the link") {
  ExecHost host;
  host.table().Enable({});
  auto start = ExecHost::Shell("exec <&-; sleep 0.1; echo done");
  start.set_stdin_open(true);
  HostedExec& exec = host.Begin(start);
  for (int block = 0; block < 40; ++block)
    host.Send(exec, FrameKind::kExecStdin, std::string(50000, 'x'));
  REQUIRE(host.Finish(exec).out == "done\n");
}

TEST_CASE("a host that reads slowly makes the command wait, and loses nothing") {
  ExecHost host;
  host.table().Enable({});
  constexpr size_t kBytes = size_t{64} << 20;
  TempDir dir;
  HostedExec& exec = host.Begin(
      ExecHost::Shell("head -c 67108864 /dev/zero | tr '\\0' 'z'; echo >" + dir / "done"));
  exec.reading = false;
  REQUIRE(host.loop.RunUntil(
      [&] { return host.host().Readable(exec.channel).size() == wire::kChannelWindow; }));
  host.loop.RunReady();
  REQUIRE(access((dir / "done").c_str(), F_OK) != 0);
  host.ReadOn(exec);
  host.Finish(exec);
  REQUIRE(exec.out.size() == kBytes);
  REQUIRE(exec.out.find_first_not_of('z') == std::string::npos);
  REQUIRE(exec.exit->code() == 0);
}

TEST_CASE("two outputs that are both full, read slowly, are each whole") {
  ExecHost host;
  host.table().Enable({});
  constexpr size_t kBytes = 3'000'000;
  HostedExec& exec = host.Begin(ExecHost::Shell(fmt::format(
      "head -c {0} /dev/zero | tr '\\0' o & head -c {0} /dev/zero | tr '\\0' e >&2; wait",
      kBytes)));
  exec.reading = false;
  REQUIRE(host.loop.RunUntil(
      [&] { return host.host().Readable(exec.channel).size() == wire::kChannelWindow; }));
  host.ReadOn(exec);
  host.Finish(exec);
  REQUIRE(exec.out == std::string(kBytes, 'o'));
  REQUIRE(exec.err == std::string(kBytes, 'e'));
}

TEST_CASE("an exit waits for its output, however slowly that is read") {
  ExecHost host;
  host.table().Enable({});
  // More than the channel holds, and less than that and the pipe.
  constexpr size_t kBytes = wire::kChannelWindow + 40'000;
  HostedExec& exec =
      host.Begin(ExecHost::Shell(fmt::format("head -c {} /dev/zero; exit 5", kBytes)));
  exec.reading = false;
  REQUIRE(host.loop.RunUntil([&] { return exec.started || host.table().running() == 0; }));
  REQUIRE(host.loop.RunUntil([&] { return host.table().running() == 0; }));
  REQUIRE_FALSE(exec.exit);
  host.ReadOn(exec);
  host.Finish(exec);
  REQUIRE(exec.out.size() == kBytes);
  REQUIRE(exec.exit->code() == 5);
}

TEST_CASE("signals reach the command's process group") {
  ExecHost host;
  host.table().Enable({});
  const auto start =
      ExecHost::Shell("trap 'echo caught; exit 7' USR1; echo ready; while :; do sleep 0.01; done");
  HostedExec& exec = host.Begin(start);
  REQUIRE(host.loop.RunUntil([&] { return exec.out == "ready\n"; }));
  host.table().Signal(start.exec(), SIGUSR1);
  host.Finish(exec);
  REQUIRE(exec.out == "ready\ncaught\n");
  REQUIRE(exec.exit->code() == 7);
}

TEST_CASE("what a command leaves behind neither delays its exit nor is killed") {
  const auto kind = GENERATE(ExecHost::Groups::kProcess, ExecHost::Groups::kCgroup);
  if (kind == ExecHost::Groups::kCgroup && !TestCgroup().exists()) {
    WARN("no cgroup2 that this user may change: only process groups are tested");
    return;
  }
  ExecHost host(kind);
  host.table().Enable({});
  TempDir dir;
  // It writes on after the exit: more than a pipe holds, so that it would block or die if nobody
  // read it.
  const auto start = ExecHost::Shell(
      "(echo $BASHPID; sleep 0.2; head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; echo "
      "survived >" +
      dir / "log" + "; exec sleep 60) & echo $! > " + dir / "pid" + "; echo hi");
  HostedExec& exec = host.Run(start);
  REQUIRE(exec.out.find("hi\n") != std::string::npos);
  REQUIRE(exec.exit->code() == 0);
  REQUIRE_FALSE(FileHas(dir / "log", "survived"));
  REQUIRE(host.Eventually([&] { return FileHas(dir / "log", "survived"); }));
  const pid_t survivor = PidIn(dir / "pid");
  REQUIRE(Lives(survivor));
  if (kind == ExecHost::Groups::kCgroup) {
    host.table().Signal(start.exec(), SIGKILL);  // by its exec's id, still
    REQUIRE(host.Eventually([&] { return !Lives(survivor); }));
  } else {
    kill(survivor, SIGKILL);
  }
}

TEST_CASE("a survivor that writes without end does not delay the exit") {
  ExecHost host;
  host.table().Enable({});
  TempDir dir;
  HostedExec& exec = host.Run(ExecHost::Shell("yes & echo $! > " + dir / "pid"));
  REQUIRE(exec.exit->code() == 0);
  REQUIRE(Lives(PidIn(dir / "pid")));
  kill(PidIn(dir / "pid"), SIGKILL);
}

TEST_CASE("a timeout ends everything that the command has started") {
  if (!TestCgroup().exists()) {
    WARN("no cgroup2 that this user may change: not tested");
    return;
  }
  ExecHost host(ExecHost::Groups::kCgroup);
  host.table().Enable({});
  TempDir dir;
  auto start = ExecHost::Shell("setsid sh -c 'echo $$ > " + dir / "pid" +
                               "; sleep 60 & sleep 60' & (nohup sleep 60 >/dev/null &) ; sleep 60");
  start.set_timeout_ms(300);
  const HostedExec& exec = host.Run(start);
  REQUIRE(exec.exit->timed_out());
  REQUIRE(exec.exit->code() == 124);
  bool empty = false;
  host.table().Disable();  // or a process waits for the next command
  host.groups().OnEmpty([&] { empty = true; });
  REQUIRE(host.loop.RunUntil([&] { return empty; }));
  const pid_t pid = PidIn(dir / "pid");  // 0: its time was over before the shell came to write it
  REQUIRE(host.Eventually([&] { return pid == 0 || !Lives(pid); }));
}

TEST_CASE("a timeout without cgroups ends the process group, and says so") {
  ExecHost host;
  host.table().Enable({});
  auto start = ExecHost::Shell("sleep 60; echo no");
  start.set_timeout_ms(50);
  const HostedExec& exec = host.Run(start);
  REQUIRE(exec.exit->timed_out());
  REQUIRE(exec.exit->code() == 124);
}

TEST_CASE("a timeout that comes after the end changes nothing") {
  ExecHost host;
  host.table().Enable({});
  auto start = ExecHost::Shell("exit 3");
  start.set_timeout_ms(5000);
  const HostedExec& exec = host.Run(start);
  REQUIRE(exec.exit->code() == 3);
  REQUIRE_FALSE(exec.exit->timed_out());
}

TEST_CASE("a lost channel kills nothing, and its command does not wait for a reader") {
  ExecHost host;
  host.table().Enable({});
  TempDir dir;
  HostedExec& exec = host.Begin(
      ExecHost::Shell("echo; head -c 3000000 /dev/zero; echo finished > " + dir / "log"));
  REQUIRE(host.loop.RunUntil([&] { return exec.started; }));
  host.Reset(exec);
  REQUIRE(host.Eventually([&] { return FileHas(dir / "log", "finished"); }));
  REQUIRE(host.loop.RunUntil([&] { return host.table().running() == 0; }));
}

TEST_CASE("the largest argument and the largest argument list are taken") {
  ExecHost host;
  host.table().Enable({});
  auto one = ExecHost::Command({"sh", "-c", "echo ${#0}"});
  one.add_argv(std::string(wire::kMaxArgBytes, 'a'));
  REQUIRE(host.Run(one).out == "131071\n");
  auto many = ExecHost::Command({"sh", "-c", "echo $#", "x"});
  for (int argument = 0; argument < 4000; ++argument) many.add_argv(std::string(250, 'a'));
  REQUIRE(host.Run(many).out == "4000\n");
  auto too_large = ExecHost::Command({"true"});
  too_large.add_argv(std::string(wire::kMaxArgBytes + 1, 'a'));
  const HostedExec& refused = host.Run(too_large);
  REQUIRE(refused.exit->code() == 126);
  REQUIRE(refused.exit->error() == "cannot run `true`: Argument list too long");
}

namespace {

capsem::guest::v1::ExecStart AtTerminal(const std::string& line) {
  auto start = ExecHost::Shell(line);
  start.mutable_pty()->mutable_size()->set_rows(33);
  start.mutable_pty()->mutable_size()->set_cols(99);
  start.set_stdin_open(true);
  return start;
}

// Until the command has said so: it is there, and has set itself up.
HostedExec& BeginAndAwait(ExecHost& host, const std::string& line, const std::string& said) {
  HostedExec& exec = host.Begin(AtTerminal(line));
  REQUIRE(host.loop.RunUntil([&] { return exec.out.find(said) != std::string::npos; }));
  return exec;
}

}  // namespace

TEST_CASE("a command with a terminal has it for everything, and as its controlling one") {
  ExecHost host;
  host.table().Enable({});
  auto start = AtTerminal(
      "test -t 0 && test -t 1 && test -t 2 && stty size && echo $TERM >/dev/tty; echo err >&2");
  start.mutable_pty()->set_term("vt100");
  const HostedExec& exec = host.Run(start);
  REQUIRE(exec.out == "33 99\r\nvt100\r\nerr\r\n");
  REQUIRE(exec.err.empty());
  REQUIRE(exec.exit->code() == 0);
}

TEST_CASE("all that was written to a terminal comes before the exit, also to a host that is slow") {
  ExecHost host;
  host.table().Enable({});
  HostedExec& exec = BeginAndAwait(host, "echo up; seq 1 200000", "up");
  exec.reading = false;
  host.loop.RunReady();
  host.ReadOn(exec);
  host.Finish(exec);
  REQUIRE(std::count(exec.out.begin(), exec.out.end(), '\n') == 200001);
  REQUIRE(exec.out.ends_with("\n200000\r\n"));
}

TEST_CASE("Ctrl-C at a terminal is an interrupt in the guest") {
  ExecHost host;
  host.table().Enable({});
  HostedExec& exec = BeginAndAwait(host, "echo up; exec cat", "up");
  // Once by the terminal, once by cat, which therefore runs: a shell may lose what comes while it
  // starts a program.
  host.Send(exec, FrameKind::kExecStdin, "x\n");
  REQUIRE(host.Eventually([&] { return exec.out.find("x\r\nx\r\n") != std::string::npos; }));
  host.Send(exec, FrameKind::kExecStdin, "\x03");
  REQUIRE(host.Finish(exec).exit->code() == 130);
}

TEST_CASE("a terminal that changes its size tells its command") {
  ExecHost host;
  host.table().Enable({});
  HostedExec& exec = BeginAndAwait(
      host, "trap 'stty size; exit 3' WINCH; echo up; while :; do sleep 0.02; done", "up");
  capsem::guest::v1::Resize size;
  size.set_rows(50);
  size.set_cols(20);
  host.Send(exec, FrameKind::kExecResize, size.SerializeAsString());
  REQUIRE(host.Finish(exec).out == "up\r\n50 20\r\n");
  REQUIRE(exec.exit->code() == 3);
}

TEST_CASE("the end of stdin is a terminal's end of file") {
  ExecHost host;
  host.table().Enable({});
  HostedExec& exec = BeginAndAwait(host, "stty -echo; echo up; cat", "up");
  host.Send(exec, FrameKind::kExecStdin, "hi\n");
  host.Send(exec, FrameKind::kExecStdinEof, "");
  REQUIRE(host.Finish(exec).out == "up\r\nhi\r\n");
}

TEST_CASE("what survives at a terminal does not delay the exit") {
  ExecHost host;
  host.table().Enable({});
  REQUIRE(host.Run(AtTerminal("(trap '' HUP; sleep 600) & echo hi")).out == "hi\r\n");
}

TEST_CASE("a command runs as its user, with a group of the same number and no others") {
  if (geteuid() != 0) {
    WARN("only root can become somebody else");
    return;
  }
  const bool terminal = GENERATE(false, true);
  ExecHost host;
  host.table().Enable({});
  const std::string line = "id -u; id -g; id -G; echo $HOME $USER; echo ok >/proc/self/fd/1";
  auto start = terminal ? AtTerminal(line) : ExecHost::Shell(line);
  start.set_uid(65534);
  std::string out = host.Run(start).out;
  out.erase(std::remove(out.begin(), out.end(), '\r'), out.end());
  REQUIRE(out == "65534\n65534\n65534\n/ 65534\n" + std::string(terminal ? "ok\n" : ""));
}

}  // namespace capsem::agent
