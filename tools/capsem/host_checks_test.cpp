#include "host_checks.h"

#include <algorithm>
#include <functional>

#include "base/testing/status_matchers.h"

namespace capsem::cli {
namespace {

using Result = HostCheck::Result;

HostFacts FitHost() {
  HostFacts facts{
      .status = {},
      .base_image = v1::Image(),
      .memory_available = uint64_t{4} << 30,
      .state_mode = uint32_t{0700},
      .landlock = uint32_t{3},
      .builds_images = true,
      .unit = {.has_systemd = true, .runs_service = true, .kill_mode = "process", .lingers = true}};
  facts.status.set_isolation(v1::ISOLATION_HARDWARE);
  facts.status.set_sessions_limit(10);
  facts.status.set_state_dir("/state");
  facts.status.set_gateway("http://127.0.0.1:1");
  return facts;
}

TEST_CASE("a host that is fit passes every check") {
  for (const HostCheck& check : JudgeHost(FitHost())) {
    INFO(check.sentence << ": " << check.cause);
    REQUIRE(check.result == Result::kOk);
  }
}

TEST_CASE("what a host lacks is told by one check, with its cause and what helps") {
  struct Case {
    std::function<void(HostFacts&)> spoil;
    Result result;
    std::string cause;
    std::string remedy;  // a part of it
  };
  const Case cases[] = {
      {[](HostFacts& facts) {
         facts.status.set_isolation(v1::ISOLATION_EMULATED);
         facts.status.set_kvm("no /dev/kvm");
       },
       Result::kNote, "machines are emulated: no /dev/kvm", "use a host with usable KVM"},
      {[](HostFacts& facts) { facts.base_image = DataLoss("vmlinuz was changed"); },
       Result::kFailed, "vmlinuz was changed", "capsem image build"},
      {[](HostFacts& facts) { facts.base_image = WithRemedy(NotFound("no image"), "do this"); },
       Result::kFailed, "no image", "do this"},
      {[](HostFacts& facts) { facts.memory_available = 1 << 20; }, Result::kFailed,
       "1.0 MiB are free: a session takes 512.0 MiB", "capsem stop --all"},
      {[](HostFacts& facts) { facts.status.set_sessions_running(10); }, Result::kFailed,
       "10 sessions run: the limit is 10", "capsem stop"},
      {[](HostFacts& facts) { facts.state_mode = uint32_t{0755}; }, Result::kFailed,
       "others may look into /state", "chmod 700 /state"},
      {[](HostFacts& facts) { facts.state_mode = NotFound("no /state"); }, Result::kFailed,
       "no /state", "CAPSEM_HOME"},
      {[](HostFacts& facts) { facts.status.set_gateway("it has ended"); }, Result::kNote,
       "it does not listen: it has ended", "gateway.log"},
      {[](HostFacts& facts) { facts.landlock = Unimplemented("no Landlock"); }, Result::kNote,
       "no Landlock", "CONFIG_SECURITY_LANDLOCK"},
      {[](HostFacts& facts) { facts.unit.has_systemd = false; }, Result::kNote,
       "there is no systemd here", "nothing is needed"},
      {[](HostFacts& facts) { facts.unit.runs_service = false; }, Result::kNote,
       "it does not run as its unit: nothing starts it again", "systemctl --user enable"},
      {[](HostFacts& facts) { facts.unit.kill_mode = "control-group"; }, Result::kNote,
       "the unit has KillMode=control-group: systemd ends machines along with the service",
       "daemon-reload"},
      {[](HostFacts& facts) { facts.unit.kill_mode = ""; }, Result::kNote,
       "the unit has KillMode=?: systemd ends machines along with the service", "daemon-reload"},
      {[](HostFacts& facts) { facts.unit.lingers = false; }, Result::kNote,
       "this user does not linger: systemd may end everything of it after the last logout, and "
       "removes its runtime folder",
       "loginctl enable-linger"},
      {[](HostFacts& facts) { facts.builds_images = false; }, Result::kNote,
       "this user has no subordinate ids in /etc/subuid", "capsem image build"},
      {[](HostFacts& facts) { facts.status.add_problems("QEMU is missing (install it)"); },
       Result::kFailed, "QEMU is missing", "install it"},
      {[](HostFacts& facts) { facts.status.add_problems("it (a) is (so (b) or c)"); },
       Result::kFailed, "it (a) is", "so (b) or c"},
      {[](HostFacts& facts) { facts.status.add_problems("the disk is slow"); }, Result::kFailed,
       "the disk is slow", "capsem logs"},
      {[](HostFacts& facts) { facts.status.add_problems("(all of it)"); }, Result::kFailed,
       "(all of it)", "capsem logs"},
      {[](HostFacts& facts) { facts.status.add_problems("f(x)"); }, Result::kFailed, "f(x)",
       "capsem logs"},
      {[](HostFacts& facts) { facts.status.add_problems(")"); }, Result::kFailed, ")",
       "capsem logs"},
  };
  for (const Case& c : cases) {
    HostFacts facts = FitHost();
    c.spoil(facts);
    const std::vector<HostCheck> checks = JudgeHost(facts);
    const auto odd = [](const HostCheck& check) { return check.result != Result::kOk; };
    INFO(c.cause);
    REQUIRE(std::count_if(checks.begin(), checks.end(), odd) == 1);
    const HostCheck& found = *std::find_if(checks.begin(), checks.end(), odd);
    REQUIRE(found.result == c.result);
    REQUIRE(found.cause == c.cause);
    INFO(found.remedy);
    REQUIRE_FALSE(c.remedy.empty());
    REQUIRE(found.remedy.find(c.remedy) != std::string::npos);
  }
}

}  // namespace
}  // namespace capsem::cli
