#include "power/power_off.h"

#include <signal.h>

#include "exec/testing/exec_host.h"

namespace capsem::agent {
namespace {

// A machine that only takes notes.
struct Power {
  explicit Power(ExecHost& exec_host, int settle_result = 0)
      : host(exec_host),
        power(
            host.services(), host.table(),
            {[this](int signal) { signals.push_back(signal); },
             [settle_result] { return settle_result; }, [this](PowerOff::End how) { end = how; }}) {
    host.table().Enable({});
  }
  bool Off() {
    return host.loop.RunUntil([&] { return end.has_value(); });
  }
  ExecHost& host;
  std::vector<int> signals;
  std::optional<PowerOff::End> end;
  PowerOff power;
};

constexpr std::chrono::hours kNever{1};
constexpr std::chrono::milliseconds kAtOnce{1};

}  // namespace

TEST_CASE("a machine with nothing running is off at once, whatever the grace") {
  ExecHost host;
  Power power(host);
  power.power.Begin(kNever);
  REQUIRE(power.Off());
  REQUIRE(power.signals == std::vector<int>{SIGTERM, SIGKILL});
  REQUIRE(power.end == PowerOff::End::kOff);
}

TEST_CASE("a restart goes the same way") {
  ExecHost host;
  Power power(host);
  power.power.Begin(kNever, PowerOff::End::kRestart);
  REQUIRE(power.Off());
  REQUIRE(power.signals == std::vector<int>{SIGTERM, SIGKILL});
  REQUIRE(power.end == PowerOff::End::kRestart);
}

TEST_CASE("commands hear TERM, and the machine waits for them only as long as they take") {
  ExecHost host;
  Power power(host);
  HostedExec& exec =
      host.Begin(ExecHost::Shell("trap 'echo saved; exit 0' TERM; echo ready; "
                                 "while :; do sleep 0.01; done"));
  REQUIRE(host.loop.RunUntil([&] { return exec.out == "ready\n"; }));
  power.power.Begin(kNever);
  REQUIRE(power.Off());
  host.Finish(exec);
  REQUIRE(exec.out == "ready\nsaved\n");
  REQUIRE(exec.exit->code() == 0);
}

TEST_CASE("who does not listen is killed after the grace") {
  ExecHost host;
  Power power(host);
  HostedExec& exec = host.Begin(ExecHost::Shell("trap '' TERM; echo ready; exec sleep 1000"));
  REQUIRE(host.loop.RunUntil([&] { return exec.out == "ready\n"; }));
  power.power.Begin(kAtOnce);
  REQUIRE(power.Off());
  REQUIRE(host.Finish(exec).exit->signal() == SIGKILL);
}

TEST_CASE("no command starts while the machine goes down") {
  ExecHost host;
  Power power(host);
  HostedExec& exec = host.Begin(ExecHost::Shell("trap '' TERM; echo ready; exec sleep 1000"));
  REQUIRE(host.loop.RunUntil([&] { return exec.out == "ready\n"; }));
  power.power.Begin(kNever);
  REQUIRE(host.Run(ExecHost::Shell("echo no")).exit->code() == 125);
  REQUIRE_FALSE(power.end);
}

TEST_CASE("a disk that cannot be settled keeps no machine up") {
  ExecHost host;
  Power power(host, EIO);
  power.power.Begin(kNever);
  REQUIRE(power.Off());
}

TEST_CASE("asking twice changes nothing") {
  ExecHost host;
  Power power(host);
  power.power.Begin(kNever);
  power.power.Begin(kAtOnce, PowerOff::End::kRestart);
  REQUIRE(power.Off());
  REQUIRE(power.end == PowerOff::End::kOff);
  REQUIRE(power.signals.size() == 2);
}

}  // namespace capsem::agent
