#include "define/argv_rules.h"

#include <nlohmann/json.hpp>

#include "base/testing/status_matchers.h"
#include "define/testing/golden.h"

namespace capsem::service {
namespace {

using Catch::Matchers::Contains;

MachineSpec Shape() { return ShapeOf(MakeMachineSpec(Accelerator::kTcg, HostCpu::kIntel)); }

std::string Lines(const std::vector<std::string>& argv) {
  std::string text;
  for (const std::string& argument : argv) text += argument + "\n";
  return text;
}

// A recorded command with one piece replaced; the piece must be there.
std::string Changed(std::string text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

bool Has(const std::vector<std::string>& argv, const std::string& argument) {
  return std::find(argv.begin(), argv.end(), argument) != argv.end();
}

TEST_CASE("what libvirt 9.0 makes of a machine becomes the golden command") {
  RequireGolden("argv_tcg_9.0.txt",
                Lines(VALUE_OF(ArgvFromNative(ReadGolden("native_tcg_9.0.txt"), Shape()))));
}

TEST_CASE("what libvirt 11.3 makes of a machine becomes the golden command") {
  RequireGolden("argv_tcg_11.3.txt",
                Lines(VALUE_OF(ArgvFromNative(ReadGolden("native_tcg_11.3.txt"), Shape()))));
}

TEST_CASE("the KVM command differs from the emulated one in processor, accelerator and kernel") {
  const std::vector<std::string> tcg =
      VALUE_OF(ArgvFromNative(ReadGolden("native_tcg_9.0.txt"), Shape()));
  const std::vector<std::string> kvm =
      ForAccelerator(tcg, MakeMachineSpec(Accelerator::kKvm, HostCpu::kAmd));
  RequireGolden("argv_kvm_9.0.txt", Lines(kvm));
  REQUIRE(kvm.size() == tcg.size());
  std::vector<std::string> different;
  for (size_t i = 1; i < tcg.size(); ++i) {
    if (tcg[i] != kvm[i]) different.push_back(tcg[i - 1]);
  }
  REQUIRE(different == std::vector<std::string>{"-accel", "-cpu", "-append"});
  REQUIRE(ForAccelerator(tcg, Shape()) == tcg);
}

TEST_CASE("an option that no rule knows is an error that names it") {
  const std::string native = ReadGolden("native_tcg_9.0.txt");
  const std::string unknown = GENERATE(
      "-netdev user,id=n0", "-device e1000,netdev=n0", "-device '{\"driver\":\"vfio-pci\"}'",
      "-object '{\"qom-type\":\"input-linux\"}'", "-chardev pty,id=charserial1",
      "-blockdev '{\"driver\":\"https\",\"url\":\"x\"}'", "-monitor stdio", "-runas nobody",
      "-global ICH9-LPC.disable_s3=1", "-display gtk", "-nographic");
  const auto argv = ArgvFromNative(native + " " + unknown, Shape());
  REQUIRE_CODE(argv, kInternal);
  const std::string name = unknown.substr(0, unknown.find(' '));
  REQUIRE_THAT(Describe(argv.status()), Contains("no rule knows: " + name));
}

TEST_CASE("a command without what every machine needs is refused, and the error names it") {
  struct Case {
    std::string what;
    std::string with;
    std::string error;
  };
  const Case c = GENERATE(values<Case>({
      {"-S ", "", "no -S"},
      {"-nodefaults ", "", "no -nodefaults"},
      {"-no-user-config ", "", "no -no-user-config"},
      {"-kernel /shape/kernel ", "", "no kernel"},
      {"-initrd /shape/initrd ", "", "no initrd"},
      {"id=charmonitor", "id=charserial0", "no qmp"},
      {"memory-backend=pc.ram", "dump=off", "no memory backend"},
      {"\"share\":true", "\"share\":false", "not the shared backend"},
      {"\"filename\":\"/shape/root\"", "\"filename\":\"/etc/shadow\"", "/etc/shadow"},
      {"'{\"driver\":\"vmgenid\"", "'{\"driver\":\"vmgenid", "no JSON object"},
  }));
  const auto argv =
      ArgvFromNative(Changed(ReadGolden("native_tcg_9.0.txt"), c.what, c.with), Shape());
  REQUIRE_CODE(argv, kInternal);
  REQUIRE_THAT(Describe(argv.status()), Contains(c.error));
}

TEST_CASE("what only libvirt needs does not reach QEMU") {
  const std::string version = GENERATE("9.0", "11.3");
  const std::string text =
      Lines(VALUE_OF(ArgvFromNative(ReadGolden("native_tcg_" + version + ".txt"), Shape())));
  for (const char* absent :
       {"masterKey0", "charmonitor", "-audiodev", "-no-shutdown", "XDG_", "LC_ALL",
        "/cache/libvirt", "/shape/", "ua-hotplug0", "watchdog", "auto-read-only"}) {
    INFO(absent);
    REQUIRE(text.find(absent) == std::string::npos);
  }
}

TEST_CASE("both versions of libvirt leave every hole exactly once") {
  const std::string version = GENERATE("9.0", "11.3");
  const std::string text =
      Lines(VALUE_OF(ArgvFromNative(ReadGolden("native_tcg_" + version + ".txt"), Shape())));
  for (const char* hole :
       {"{fd:ram}", "{fd:qmp}", "{fd:serial}", "{fd:kernel}", "{fd:initrd}", "{fd:root}",
        "{fd:disk}", "{session:name}", "{session:uuid}", "{session:genid}"}) {
    INFO(hole);
    const size_t first = text.find(hole);
    REQUIRE(first != std::string::npos);
    REQUIRE(text.find(hole, first + 1) == std::string::npos);
  }
}

TEST_CASE("a session's own values fill its holes and nothing else") {
  const std::vector<std::string> argv =
      VALUE_OF(ArgvFromNative(ReadGolden("native_tcg_9.0.txt"), Shape()));
  MachineSpec spec = Shape();
  spec.name = "abcdefgh2345";
  spec.uuid = "11111111-2222-4333-8444-555555555555";
  spec.genid = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
  const std::vector<std::string> filled = VALUE_OF(ForSession(argv, spec));
  REQUIRE(Has(filled, "guest=abcdefgh2345,debug-threads=on"));
  REQUIRE(Has(filled, spec.uuid));
  const std::string text = Lines(filled);
  REQUIRE_THAT(text, Contains("\"guid\":\"" + spec.genid + "\""));
  REQUIRE(text.find("{session:") == std::string::npos);
  REQUIRE_THAT(text, Contains("{fd:disk}"));
}

TEST_CASE("a name that would become more than a value is refused") {
  const std::string bad = GENERATE("", "a,process=x", "a b", "{fd:ram}", "a\"", "a/b");
  MachineSpec spec = Shape();
  spec.name = bad;
  REQUIRE_CODE(ForSession({}, spec), kInvalidArgument);
}

}  // namespace
}  // namespace capsem::service
