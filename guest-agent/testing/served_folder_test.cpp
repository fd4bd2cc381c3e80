// The agent may never wait for a file system that it serves (docs: the agent's rules). Each of
// these would hang for ever if starting a command waited for the command's own program to run.
#include "testing/served_folder.h"

#include <sys/stat.h>

#include "exec/testing/exec_host.h"

namespace capsem::agent {

TEST_CASE("commands run from a file system that the agent's own loop serves") {
  TempDir dir;
  const std::string path = dir / "served";
  REQUIRE(mkdir(path.c_str(), 0755) == 0);
  ExecHost host;
  host.table().Enable({});
  auto served = ServedFolder::Mount(host.loop, path, VALUE_OF(ServedPrograms(path)));
  if (!served.ok()) {
    WARN("not tested here, only in a machine: " << Describe(served.status()));
    return;
  }
  SECTION("as the working folder") {
    auto start = ExecHost::Command({"/bin/pwd"});
    start.set_cwd(path);
    REQUIRE(host.Run(start).out == path + "\n");
  }
  SECTION("as a working folder that is not there") {
    auto start = ExecHost::Command({"/bin/pwd"});
    start.set_cwd(path + "/missing");
    REQUIRE(host.Run(start).exit->code() == 126);
  }
  SECTION("as the program, by its path") {
    REQUIRE(host.Run(ExecHost::Command({path + "/program", "it", "runs"})).out == "it runs\n");
  }
  SECTION("as the program, by the search in PATH") {
    auto start = ExecHost::Command({"program", "found"});
    (*start.mutable_env())["PATH"] = path + ":/usr/bin:/bin";
    REQUIRE(host.Run(start).out == "found\n");
    auto missing = ExecHost::Command({"missing"});
    (*missing.mutable_env())["PATH"] = path;
    REQUIRE(host.Run(missing).exit->code() == 127);
  }
  SECTION("as the interpreter of a script") {
    REQUIRE(host.Run(ExecHost::Command({path + "/script"})).out ==
            "a script, by its interpreter\n");
  }
  SECTION("as a library of the program") {
    auto start = ExecHost::Shell("grep -c " + path + "/library.so /proc/self/maps");
    (*start.mutable_env())["LD_PRELOAD"] = path + "/library.so";
    REQUIRE(host.Run(start).exit->code() == 0);
  }
  SECTION("all at once, and many times") {
    std::vector<HostedExec*> execs;
    for (int count = 0; count < 50; ++count) {
      auto start = ExecHost::Command({"./script"});
      start.set_cwd(path);
      execs.push_back(&host.Begin(start));
    }
    for (HostedExec* exec : execs) REQUIRE(host.Finish(*exec).exit->code() == 0);
  }
  REQUIRE((*served)->answered() > 0);
}

TEST_CASE("a command that hangs on a served file system does not hold up another") {
  TempDir dir;
  const std::string path = dir / "served";
  REQUIRE(mkdir(path.c_str(), 0755) == 0);
  ExecHost host;
  host.table().Enable({});
  // Mounted by a loop that does not turn: nobody answers.
  auto dead_loop = std::make_unique<Loop>();
  auto served = ServedFolder::Mount(*dead_loop, path, {});
  if (!served.ok()) {
    WARN("not tested here, only in a machine: " << Describe(served.status()));
    return;
  }
  auto start = ExecHost::Command({"/bin/pwd"});
  start.set_cwd(path + "/folder");
  HostedExec& hung = host.Begin(start);
  REQUIRE(host.loop.RunUntil([&] { return host.table().running() == 1; }));
  REQUIRE(host.Run(ExecHost::Shell("echo quick")).out == "quick\n");
  REQUIRE_FALSE(hung.started);
  served->reset();  // the connection is gone, and so is the wait
  REQUIRE(host.Finish(hung).exit->code() == 126);
}

}  // namespace capsem::agent
