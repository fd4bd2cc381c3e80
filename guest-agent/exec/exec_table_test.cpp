#include "exec/exec_table.h"

#include "exec/testing/exec_host.h"

namespace capsem::agent {

using wire::FrameKind;

TEST_CASE("nothing runs before the machine has its identity; then all, in order") {
  ExecHost host;
  TempDir dir;
  HostedExec& first = host.Begin(ExecHost::Shell("echo first >> " + dir / "log"));
  host.loop.RunReady();
  REQUIRE_FALSE(first.started);
  REQUIRE(host.table().running() == 0);
  host.table().Enable({{"WHO", "session"}});
  host.Finish(first);
  REQUIRE(host.Run(ExecHost::Shell("echo $WHO")).out == "session\n");
}

TEST_CASE("an id never runs twice") {
  ExecHost host;
  host.table().Enable({});
  const auto start = ExecHost::Shell("echo once");
  REQUIRE(host.Run(start).out == "once\n");
  const HostedExec& again = host.Run(start);
  REQUIRE(again.exit->code() == 125);
  REQUIRE(again.exit->error() == "this command has run already");
  REQUIRE(again.out.empty());
}

TEST_CASE("what is no request is answered with a word") {
  ExecHost host;
  host.table().Enable({});
  HostedExec& garbage = host.BeginEmpty();
  host.Send(garbage, FrameKind::kExecStart, "\xff\xff\xff");
  REQUIRE(host.Finish(garbage).exit->code() == 126);
  HostedExec& early = host.BeginEmpty();
  host.Send(early, FrameKind::kExecStdin, "input");
  REQUIRE(host.Finish(early).exit->code() == 126);
  HostedExec& huge = host.BeginEmpty();
  host.SendBytes(huge, std::string("\xff\xff\xff\x7f\x01", 5));
  REQUIRE(host.Finish(huge).exit->code() == 126);
  HostedExec& empty = host.BeginEmpty();
  host.FinishWriting(empty);
  REQUIRE(host.Finish(empty).exit->code() == 126);
  HostedExec& no_command = host.Run(ExecHost::Command({}));
  REQUIRE(no_command.exit->error() == "there is no command to run");
}

TEST_CASE("a thousand commands run, and one more is refused") {
  ExecHost host;
  host.table().Enable({});
  std::vector<HostedExec*> sleepers;
  for (size_t count = 0; count < wire::kMaxExecs; ++count) {
    auto start = ExecHost::Command({"/bin/sleep", "1000"});
    sleepers.push_back(&host.Begin(start));
  }
  REQUIRE(host.loop.RunUntil([&] { return host.table().running() == wire::kMaxExecs; }));
  const HostedExec& refused = host.Run(ExecHost::Shell("echo no"));
  REQUIRE(refused.exit->code() == 125);
  REQUIRE(refused.exit->error() == "1000 commands are running");
  host.groups().KillAll();
  for (HostedExec* sleeper : sleepers) REQUIRE(host.Finish(*sleeper).exit->signal() == 9);
  REQUIRE(host.Run(ExecHost::Shell("echo yes")).out == "yes\n");
}

TEST_CASE("a signal that is faster than its command waits for it") {
  ExecHost host;
  auto start = ExecHost::Command({"/bin/sleep", "1000"});
  host.table().Signal(start.exec(), 9);
  host.table().Enable({});
  REQUIRE(host.Run(start).exit->signal() == 9);
}

TEST_CASE("a signal to nobody, or that is none, does nothing") {
  ExecHost host;
  host.table().Enable({});
  HostedExec& sleeper = host.Begin(ExecHost::Command({"/bin/sleep", "1000"}));
  REQUIRE(host.loop.RunUntil([&] { return sleeper.started; }));
  host.table().Signal(UINT64_MAX, 9);
  host.table().Signal(UINT64_MAX, 65);
  host.table().Signal(UINT64_MAX, 0);
  REQUIRE(host.table().running() == 1);
}

TEST_CASE("a machine that shuts down starts nothing any more") {
  ExecHost host;
  HostedExec& waiting = host.Begin(ExecHost::Shell("echo no"));
  host.loop.RunReady();
  host.table().Disable();
  REQUIRE(host.Finish(waiting).exit->error() == "the machine is shutting down");
  REQUIRE(host.Run(ExecHost::Shell("echo no")).exit->code() == 125);
}

TEST_CASE("a command that its host gives up before it could start is not run") {
  ExecHost host;
  TempDir dir;
  HostedExec& given_up = host.Begin(ExecHost::Shell("touch " + dir / "ran"));
  host.loop.RunReady();
  host.Reset(given_up);
  host.loop.RunReady();
  host.table().Enable({});
  host.Run(ExecHost::Shell("true"));
  REQUIRE(access((dir / "ran").c_str(), F_OK) != 0);
}

TEST_CASE("channels of commands that are over are forgotten") {
  ExecHost host;
  host.table().Enable({});
  auto start = ExecHost::Command({"/bin/true"});
  start.set_stdin_open(true);
  HostedExec& exec = host.Begin(start);
  host.Send(exec, FrameKind::kExecStdin, std::string(50000, 'x'));
  REQUIRE(host.loop.RunUntil([&] { return exec.exit.has_value(); }));
  host.Send(exec, FrameKind::kExecStdin, std::string(50000, 'x'));  // too late, and dropped
  host.FinishWriting(exec);
  REQUIRE(host.loop.RunUntil([&] { return !host.guest().Exists(exec.channel); }));
  REQUIRE(host.loop.RunUntil([&] { return !host.host().Exists(exec.channel); }));
}

}  // namespace capsem::agent
