#include "define/domain_xml.h"

#include <catch2/catch.hpp>

#include "define/testing/golden.h"

namespace capsem::service {
namespace {

using Catch::Matchers::Contains;

MachineSpec Example(Accelerator accelerator) {
  MachineSpec spec = MakeMachineSpec(accelerator, HostCpu::kIntel);
  spec.name = "abcdefgh2345";
  spec.uuid = "11111111-2222-4333-8444-555555555555";
  spec.genid = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
  spec.files = {"/images/base/vmlinuz", "/images/base/initramfs.cpio", "/images/base/rootfs.erofs",
                "/sessions/abcdefgh2345/disk.img", "/sessions/abcdefgh2345/serial.sock"};
  if (accelerator == Accelerator::kTcg) spec.tsc_mhz = 2594;
  spec.cpus = 2;
  spec.memory_mib = 1024;
  return spec;
}

TEST_CASE("an emulated machine's domain is as the golden file has it") {
  RequireGolden("domain_tcg.xml", DomainXml(Example(Accelerator::kTcg)));
}

TEST_CASE("a hardware machine's domain is as the golden file has it") {
  RequireGolden("domain_kvm.xml", DomainXml(Example(Accelerator::kKvm)));
}

TEST_CASE("a path stays one value of the XML, whatever is in it") {
  MachineSpec spec = Example(Accelerator::kTcg);
  spec.files.disk = "/home/a & b/'<disk>\".img";
  REQUIRE_THAT(DomainXml(spec),
               Contains("<source file='/home/a &amp; b/&apos;&lt;disk&gt;&quot;.img'/>"));
}

}  // namespace
}  // namespace capsem::service
