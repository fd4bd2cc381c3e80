#include "host_checks.h"

#include <algorithm>
#include <functional>

#include "base/testing/status_matchers.h"

namespace capsem::cli {
namespace {

using Result = HostCheck::Result;

HostFacts FitHost() {
  HostFacts facts{.status = {},
                  .base_image = v1::Image(),
                  .memory_available = uint64_t{4} << 30,
                  .state_mode = uint32_t{0700},
                  .landlock = uint32_t{3},
                  .builds_images = true};
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

TEST_CASE("what a host lacks is told by one check, with its cause") {
  struct Case {
    std::function<void(HostFacts&)> spoil;
    Result result;
    std::string cause;
  };
  const Case cases[] = {
      {[](HostFacts& facts) {
         facts.status.set_isolation(v1::ISOLATION_EMULATED);
         facts.status.set_kvm("no /dev/kvm");
       },
       Result::kNote, "machines are emulated: no /dev/kvm"},
      {[](HostFacts& facts) { facts.base_image = DataLoss("vmlinuz was changed"); },
       Result::kFailed, "vmlinuz was changed"},
      {[](HostFacts& facts) { facts.memory_available = 1 << 20; }, Result::kFailed,
       "1.0 MiB are free: a session takes 512.0 MiB"},
      {[](HostFacts& facts) { facts.status.set_sessions_running(10); }, Result::kFailed,
       "10 sessions run: the limit is 10"},
      {[](HostFacts& facts) { facts.state_mode = uint32_t{0755}; }, Result::kFailed,
       "others may look into /state"},
      {[](HostFacts& facts) { facts.status.set_gateway("it has ended"); }, Result::kNote,
       "it does not listen: it has ended"},
      {[](HostFacts& facts) { facts.landlock = Unimplemented("no Landlock"); }, Result::kNote,
       "no Landlock"},
      {[](HostFacts& facts) { facts.builds_images = false; }, Result::kNote,
       "this user has no subordinate ids in /etc/subuid"},
      {[](HostFacts& facts) { facts.status.add_problems("QEMU is missing (install it)"); },
       Result::kFailed, "QEMU is missing (install it)"},
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
  }
}

}  // namespace
}  // namespace capsem::cli
