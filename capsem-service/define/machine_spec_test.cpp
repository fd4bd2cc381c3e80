#include "define/machine_spec.h"

#include <catch2/catch.hpp>
#include <set>

namespace capsem::service {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("the kernel command line follows the accelerator and the guest's ASLR") {
  struct Case {
    Accelerator accelerator;
    GuestAslr aslr;
    bool emulated_clock;
    bool norandmaps;
  };
  const Case c = GENERATE(values<Case>({
      {Accelerator::kTcg, GuestAslr::kOff, true, true},
      {Accelerator::kTcg, GuestAslr::kOn, true, false},
      {Accelerator::kKvm, GuestAslr::kOn, false, false},
      // Hardware never runs without: what a session asks for does not matter there.
      {Accelerator::kKvm, GuestAslr::kOff, false, false},
  }));
  MachineSpec spec = MakeMachineSpec(c.accelerator, HostCpu::kIntel);
  spec.guest_aslr = c.aslr;
  const std::string line = " " + KernelCommandLine(spec) + " ";
  REQUIRE_THAT(line, Contains(" console=ttyS0 quiet panic=-1 oops=panic audit=1 "
                              "audit_backlog_limit=8192 "));
  REQUIRE((line.find(" tsc=reliable no_timer_check ") != std::string::npos) == c.emulated_clock);
  REQUIRE((line.find(" norandmaps ") != std::string::npos) == c.norandmaps);
}

TEST_CASE("an emulated guest is told its counter's rate, where that is known") {
  MachineSpec spec = MakeMachineSpec(Accelerator::kTcg, HostCpu::kIntel);
  REQUIRE_THAT(KernelCommandLine(spec), !Contains("tsc_early_khz"));
  spec.tsc_mhz = 2594;
  REQUIRE_THAT(KernelCommandLine(spec), Contains(" tsc_early_khz=2594000"));
  spec.accelerator = Accelerator::kKvm;
  REQUIRE_THAT(KernelCommandLine(spec), !Contains("tsc_early_khz"));
}

TEST_CASE("an emulated guest runs without ASLR unless asked, a hardware guest with it") {
  REQUIRE(MakeMachineSpec(Accelerator::kTcg, HostCpu::kAmd).guest_aslr == GuestAslr::kOff);
  REQUIRE(MakeMachineSpec(Accelerator::kKvm, HostCpu::kAmd).guest_aslr == GuestAslr::kOn);
}

TEST_CASE("the processor is a named model of the host's vendor under KVM, and EPYC when emulated") {
  REQUIRE(MakeMachineSpec(Accelerator::kTcg, HostCpu::kIntel).cpu.name == "EPYC");
  REQUIRE(MakeMachineSpec(Accelerator::kTcg, HostCpu::kAmd).cpu.name == "EPYC");
  REQUIRE(MakeMachineSpec(Accelerator::kKvm, HostCpu::kIntel).cpu.name == "Haswell-noTSX-IBRS");
  REQUIRE(MakeMachineSpec(Accelerator::kKvm, HostCpu::kAmd).cpu.name == "EPYC-IBPB");
}

TEST_CASE("the host's vendor is read from cpuinfo") {
  REQUIRE(HostCpuFrom("vendor_id\t: AuthenticAMD\n") == HostCpu::kAmd);
  REQUIRE(HostCpuFrom("vendor_id\t: HygonGenuine\n") == HostCpu::kAmd);
  REQUIRE(HostCpuFrom("vendor_id\t: GenuineIntel\n") == HostCpu::kIntel);
  REQUIRE(HostCpuFrom("") == HostCpu::kIntel);
}

TEST_CASE("a shape has nothing of its session") {
  MachineSpec one = MakeMachineSpec(Accelerator::kTcg, HostCpu::kIntel);
  MachineSpec two = one;
  one.name = "aaaaaaaaaaaa";
  one.uuid = RandomUuid();
  one.genid = RandomUuid();
  one.files.disk = "/somewhere";
  const MachineSpec shape = ShapeOf(one);
  REQUIRE(shape.name == ShapeOf(two).name);
  REQUIRE(shape.uuid == ShapeOf(two).uuid);
  REQUIRE(shape.genid == ShapeOf(two).genid);
  REQUIRE(shape.uuid != shape.genid);
  REQUIRE(shape.files.disk == ShapeOf(two).files.disk);
}

TEST_CASE("a random uuid has version 4 and is new each time") {
  std::set<std::string> seen;
  for (int i = 0; i < 32; ++i) {
    const std::string uuid = RandomUuid();
    REQUIRE(uuid.size() == 36);
    REQUIRE(uuid[14] == '4');
    REQUIRE(std::string("89ab").find(uuid[19]) != std::string::npos);
    REQUIRE(seen.insert(uuid).second);
  }
}

TEST_CASE("isolation has a word for each accelerator") {
  REQUIRE(Isolation(Accelerator::kKvm) == "hardware");
  REQUIRE(Isolation(Accelerator::kTcg) == "emulated");
}

}  // namespace
}  // namespace capsem::service
