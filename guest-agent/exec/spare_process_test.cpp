#include "exec/spare_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "exec/testing/exec_host.h"

namespace capsem::agent {
namespace {

ExecSpec Echo(const std::string& word) {
  ExecSpec spec;
  spec.argv = {"echo", word};
  spec.path = "/usr/bin:/bin";
  spec.cwd = "/";
  return spec;
}

// Runs it to its end: its output.
std::string Run(ExecHost& host, SpareProcess& spare, const std::string& word) {
  SpareProcess::Begun begun = VALUE_OF(spare.Run(Echo(word)));
  bool ended = false;
  host.services().reaper.Watch(begun.process.pid, [&](int) { ended = true; });
  REQUIRE(host.loop.RunUntil([&] { return ended; }));
  REQUIRE_FALSE(ReadExecFailure(begun.process.failure_pipe.get(), Echo(word)));
  char text[64];
  const ssize_t count = begun.out->Read(text, sizeof text);
  return std::string(text, count > 0 ? static_cast<size_t>(count) : 0);
}

// One that has ended, and has not been collected yet, may stand before it.
pid_t YoungestChild() {
  std::ifstream children("/proc/self/task/" + std::to_string(gettid()) + "/children");
  pid_t youngest = 0;
  for (pid_t pid; children >> pid;) youngest = pid;
  return youngest;
}

}  // namespace

TEST_CASE("the first command needs no spare, and the next one runs in it") {
  ExecHost host;
  SpareProcess spare(host.services());
  REQUIRE(Run(host, spare, "one") == "one\n");
  spare.MakeSoon();
  REQUIRE(host.loop.RunUntil([&] { return spare.waiting(); }));
  const pid_t waiting = YoungestChild();
  REQUIRE(waiting > 0);
  SpareProcess::Begun begun = VALUE_OF(spare.Run(Echo("two")));
  REQUIRE(begun.process.pid == waiting);
  REQUIRE_FALSE(spare.waiting());
}

TEST_CASE("a command that does not end has a spare made beside it") {
  ExecHost host;
  SpareProcess spare(host.services());
  ExecSpec spec = Echo("");
  spec.argv = {"sleep", "60"};
  SpareProcess::Begun begun = VALUE_OF(spare.Run(spec));
  REQUIRE(host.loop.RunUntil([&] { return spare.waiting(); }));
  begun.group->Kill();
}

TEST_CASE("a spare that was killed is replaced, noticed or not") {
  const bool noticed = GENERATE(true, false);
  ExecHost host;
  SpareProcess spare(host.services());
  spare.MakeWhenQuiet();
  REQUIRE(host.loop.RunUntil([&] { return spare.waiting(); }));
  const pid_t waiting = YoungestChild();
  REQUIRE(kill(waiting, SIGKILL) == 0);
  siginfo_t end;
  REQUIRE(waitid(P_PID, static_cast<id_t>(waiting), &end, WEXITED | WNOWAIT) == 0);
  if (noticed) host.loop.RunReady();
  REQUIRE(Run(host, spare, "hi") == "hi\n");
}

TEST_CASE("a stopped spare ends, and no other is made") {
  ExecHost host;
  SpareProcess spare(host.services());
  spare.MakeWhenQuiet();
  REQUIRE(host.loop.RunUntil([&] { return spare.waiting(); }));
  spare.Stop();
  spare.MakeSoon();
  REQUIRE_FALSE(spare.waiting());
  REQUIRE(host.Eventually([&] { return YoungestChild() == 0; }));
  REQUIRE_FALSE(spare.waiting());
}

}  // namespace capsem::agent
