#include "supervise/process_host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <optional>

#include "base/process_id.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "supervise/last_word.h"

namespace capsem::service {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A capsem-process that is a shell script.
struct Fixture {
  TestLoop loop;
  TempDir dir;
  bool listening = false;
  std::optional<std::string> gone;
  std::unique_ptr<ProcessHost> host;

  StatusOr<std::unique_ptr<ProcessHost>> Launch(const std::string& lines) {
    const std::string program = dir / "process";
    std::ofstream(program) << "#!/bin/sh\n" << lines << "\n";
    chmod(program.c_str(), 0700);
    ProcessSpec spec;
    spec.program = program;
    spec.env = {"PATH=/usr/bin:/bin", "ONLY=this"};
    spec.launch.set_session_dir(dir.path());
    spec.launch.set_session_id("abcdefghijkl");
    std::ofstream(dir / "disk") << "disk bytes";
    spec.files.push_back(
        {"disk", UniqueFd(open((dir / "disk").c_str(), O_RDWR | O_CLOEXEC)), true});
    return ProcessHost::Launch(
        loop, std::move(spec),
        {.on_listening = [this] { listening = true; },
         .on_gone = [this](ProcessEnd end) { gone = std::move(end.reason); }});
  }
  void Start(const std::string& lines) { host = VALUE_OF(Launch(lines)); }
  void AwaitGone() {
    REQUIRE(loop.RunUntil([this] { return gone.has_value(); }));
  }
};

void LeaveWord(const std::string& path, const ProcessEnd& end) {
  capsem::process::v1::LastWord word;
  word.set_reason(end.reason);
  word.set_clean(end.clean);
  word.set_restart(end.restart);
  std::ofstream(path) << word.SerializeAsString();
}

}  // namespace

TEST_CASE("a process that says so is heard to listen") {
  Fixture f;
  f.Start("echo listening >&4; exec sleep 60");
  REQUIRE(f.loop.RunUntil([&] { return f.listening; }));
  REQUIRE(!f.gone);
  f.host->Kill();
  f.AwaitGone();
  REQUIRE(*f.gone == "capsem-process ended with signal 9 (Killed)");
}

TEST_CASE("the process gets its specification, files, folder and environment, and nothing else") {
  Fixture f;
  f.Start(
      "cat <&3 > spec; cat <&5 > copy; pwd > cwd; env > env; echo $2 > parent; ls /proc/$$/fd > "
      "fds");
  f.AwaitGone();
  capsem::process::v1::LaunchSpec spec;
  REQUIRE(spec.ParseFromString(Read(f.dir / "spec")));
  REQUIRE(spec.session_id() == "abcdefghijkl");
  REQUIRE(spec.holes_size() == 1);
  REQUIRE(spec.holes(0).name() == "disk");
  REQUIRE(spec.holes(0).inherited_fd() == 5);
  REQUIRE(spec.holes(0).writable());
  REQUIRE(Read(f.dir / "copy") == "disk bytes");
  REQUIRE(Read(f.dir / "cwd") == f.dir.path() + "\n");
  REQUIRE(Read(f.dir / "parent") == std::to_string(getpid()) + "\n");
  const std::string env = Read(f.dir / "env");
  REQUIRE(env.find("ONLY=this\n") != std::string::npos);
  REQUIRE(env.find("HOME=") == std::string::npos);
}

TEST_CASE("what a process said last is part of the reason, and kept in its log at 0600") {
  Fixture f;
  f.Start("echo first >&2; echo 'capsem-process: no QEMU' >&2; exit 3");
  f.AwaitGone();
  REQUIRE(*f.gone ==
          "capsem-process ended with exit code 3; it said last: capsem-process: no QEMU");
  struct stat info {};
  REQUIRE(stat((f.dir / "process.log").c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0600);
}

TEST_CASE("a process that says something else on the ready pipe is ended") {
  Fixture f;
  f.Start("echo something else >&4; exec sleep 60");
  f.AwaitGone();
  REQUIRE(!f.listening);
  REQUIRE(f.gone->find("did not say that it listens") != std::string::npos);
}

TEST_CASE("a program that is not there is an error at once") {
  Fixture f;
  ProcessSpec spec;
  spec.program = f.dir / "nothing";
  spec.launch.set_session_dir(f.dir.path());
  REQUIRE_CODE(ProcessHost::Launch(f.loop, std::move(spec), {}), kNotFound);
}

TEST_CASE("a machine that outlives its process is ended before the end is told") {
  Fixture f;
  f.Start("sleep 60 & echo $! > machine; echo listening >&4; wait");
  REQUIRE(f.loop.RunUntil([&] { return f.listening; }));
  const pid_t machine = std::stoi(Read(f.dir / "machine"));
  f.host->HoldMachine(machine);
  REQUIRE(f.host->machine_pid() == machine);
  kill(f.host->pid(), SIGKILL);
  f.AwaitGone();
  REQUIRE(Read("/proc/" + std::to_string(machine) + "/cmdline").empty());
}

TEST_CASE("a process that was left goes on, and another host takes it over with its machine") {
  Fixture f;
  f.Start("sleep 60 & echo listening >&4; wait");
  REQUIRE(f.loop.RunUntil([&] { return f.listening; }));
  const ProcessId id = VALUE_OF(IdentifyProcess(f.host->pid()));
  f.host->Leave();
  f.host = nullptr;
  std::optional<ProcessEnd> end;
  f.host = ProcessHost::Adopt(
      f.loop, {.pid = id.pid, .pidfd = VALUE_OF(HoldProcess(id)), .session_dir = f.dir.path()},
      {.on_listening = [] {}, .on_gone = [&](ProcessEnd told) { end = std::move(told); }});
  REQUIRE(f.host->pid() == id.pid);
  const pid_t machine = f.host->machine_pid();
  REQUIRE(StatOf(machine)->parent == id.pid);
  ProcessEnd expected;
  SECTION("killed") {
    expected.reason = "capsem-process was killed";
    kill(id.pid, SIGKILL);
  }
  SECTION("gone after a last word") {
    expected = {"it powered itself off", true};
    LeaveWord(f.dir / "last_word", expected);
    kill(id.pid, SIGTERM);
  }
  SECTION("gone after it said that it begins anew") {
    expected = {"the guest restarted itself", true, true};
    LeaveWord(f.dir / "last_word", expected);
    kill(id.pid, SIGTERM);
  }
  SECTION("gone after a last word, and ended in the same moment") {
    expected = {"it powered itself off", true};
    LeaveWord(f.dir / "last_word", expected);
    f.host->Kill("it did not answer");
  }
  SECTION("ended by its host, with a reason") {
    expected.reason = "capsem-process was ended: it does not know the secret";
    f.host->Kill("it does not know the secret");
  }
  REQUIRE(f.loop.RunUntil([&] { return end.has_value(); }));
  REQUIRE(end->reason == expected.reason);
  REQUIRE(end->clean == expected.clean);
  REQUIRE(end->restart == expected.restart);
  REQUIRE(Read("/proc/" + std::to_string(machine) + "/cmdline").empty());
  REQUIRE(waitpid(id.pid, nullptr, 0) == id.pid);
}

TEST_CASE("a process that was taken over ends with its host") {
  Fixture f;
  f.Start("echo listening >&4; exec sleep 60");
  REQUIRE(f.loop.RunUntil([&] { return f.listening; }));
  const ProcessId id = VALUE_OF(IdentifyProcess(f.host->pid()));
  f.host->Leave();
  f.host = ProcessHost::Adopt(
      f.loop, {.pid = id.pid, .pidfd = VALUE_OF(HoldProcess(id)), .session_dir = f.dir.path()}, {});
  f.host = nullptr;
  REQUIRE(waitpid(id.pid, nullptr, 0) == id.pid);
}

TEST_CASE("the last word of an earlier machine is forgotten when another is started") {
  Fixture f;
  LeaveWord(f.dir / "last_word", {"old", true});
  f.Start("echo listening >&4; exec sleep 60");
  REQUIRE(!ReadLastWord(f.dir.path()));
}

TEST_CASE("a pid that is not the process's child is not believed") {
  Fixture f;
  f.Start("echo listening >&4; exec sleep 60");
  REQUIRE(f.loop.RunUntil([&] { return f.listening; }));
  f.host->HoldMachine(getpid());
  REQUIRE(f.host->machine_pid() == 0);
}

}  // namespace capsem::service
