#include "define/machine_compiler.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "define/testing/golden.h"

namespace capsem::service {
namespace {

using Catch::Matchers::Contains;
using nlohmann::json;

MachineSpec Spec(const std::string& name, Accelerator accelerator = Accelerator::kTcg) {
  MachineSpec spec = MakeMachineSpec(accelerator, HostCpu::kIntel);
  spec.name = name;
  spec.uuid = RandomUuid();
  spec.genid = RandomUuid();
  spec.files = {"/i/vmlinuz", "/i/initramfs.cpio", "/i/rootfs.erofs", "/s/disk.img", "/s/serial"};
  return spec;
}

// A compiler whose capsem-define is a script. The folders are open to everybody, because a child of
// root runs as nobody.
struct Bench {
  TestLoop loop;
  TempDir dir;
  std::string program = dir / "define";
  std::string runs = dir / "runs";
  std::unique_ptr<MachineCompiler> compiler;

  explicit Bench(const std::string& script) {
    chmod(dir.path().c_str(), 0711);
    std::filesystem::create_directory(dir / "cache");
    std::ofstream(runs).flush();
    chmod(runs.c_str(), 0666);
    WriteProgram(script);
    Restart();
  }
  void WriteProgram(const std::string& script) const {
    std::ofstream(program) << "#!/bin/sh\necho run >>" << runs << "\n" << script << "\n";
    chmod(program.c_str(), 0755);
  }
  void Restart(std::chrono::milliseconds limit = std::chrono::seconds(60)) {
    compiler = std::make_unique<MachineCompiler>(
        loop, MachineCompiler::Options{program, dir / "cache", limit});
  }
  StatusOr<CompiledMachine> Compile(const MachineSpec& spec) {
    std::optional<StatusOr<CompiledMachine>> answer;
    compiler->Compile(spec, [&](StatusOr<CompiledMachine> given) { answer = std::move(given); });
    REQUIRE_FALSE(answer.has_value());
    REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
    return *std::move(answer);
  }
  size_t Runs() const {
    std::ifstream file(runs);
    return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
  }
};

// A script that answers as capsem-define would, with what libvirt 9.0 said.
std::string Answering(const TempDir& dir, const std::string& used) {
  const json answer = {{"native", ReadGolden("native_tcg_9.0.txt")},
                       {"qemu", "7.2.22"},
                       {"libvirt", "9.0.0"},
                       {"files", {used}}};
  const std::string path = dir / "answer.json";
  std::ofstream(path) << answer.dump();
  chmod(dir.path().c_str(), 0711);
  chmod(path.c_str(), 0644);
  return "cat >/dev/null; cat " + path;
}

TEST_CASE("a machine is compiled once for its shape and filled in for each session") {
  TempDir answers;
  Bench bench(Answering(answers, "/bin/sh"));
  const MachineSpec first = Spec("aaaaaaaaaaaa");
  const CompiledMachine machine = VALUE_OF(bench.Compile(first));
  REQUIRE(machine.argv.front() == "/usr/bin/qemu-system-x86_64");
  REQUIRE_THAT(machine.argv,
               Catch::Matchers::VectorContains(std::string("guest=aaaaaaaaaaaa,debug-threads=on")));
  REQUIRE_THAT(machine.argv, Catch::Matchers::VectorContains(first.uuid));
  REQUIRE_THAT(machine.domain_xml, Contains("<source file='/s/disk.img'/>"));
  REQUIRE_THAT(machine.domain_xml, Contains("<uuid>" + first.uuid + "</uuid>"));
  REQUIRE(machine.qemu_version == "7.2.22");
  REQUIRE(machine.libvirt_version == "9.0.0");

  bench.Restart();
  const CompiledMachine second = VALUE_OF(bench.Compile(Spec("bbbbbbbbbbbb")));
  REQUIRE_THAT(second.argv,
               Catch::Matchers::VectorContains(std::string("guest=bbbbbbbbbbbb,debug-threads=on")));
  REQUIRE(bench.Runs() == 1);
}

TEST_CASE("a hardware machine comes from the same run as an emulated one") {
  TempDir answers;
  Bench bench(Answering(answers, "/bin/sh"));
  VALUE_OF(bench.Compile(Spec("aaaaaaaaaaaa")));
  const CompiledMachine kvm = VALUE_OF(bench.Compile(Spec("bbbbbbbbbbbb", Accelerator::kKvm)));
  REQUIRE_THAT(kvm.argv, Catch::Matchers::VectorContains(std::string("kvm")));
  REQUIRE_THAT(kvm.argv, Catch::Matchers::VectorContains(std::string("Haswell-noTSX-IBRS")));
  REQUIRE_THAT(kvm.domain_xml, Contains("<domain type='kvm'>"));
  REQUIRE(bench.Runs() == 1);
}

TEST_CASE("who asks for a shape while it is compiled shares the run; another shape has its own") {
  TempDir answers;
  Bench bench(Answering(answers, "/bin/sh"));
  MachineSpec large = Spec("large");
  large.memory_mib = 1024;
  std::vector<std::string> done;
  for (const MachineSpec& spec : {Spec("one"), Spec("two"), large}) {
    bench.compiler->Compile(spec, [&done, name = spec.name](StatusOr<CompiledMachine> machine) {
      REQUIRE_OK(machine);
      done.push_back(name);
    });
  }
  REQUIRE(bench.loop.RunUntil([&] { return done.size() == 3; }));
  REQUIRE(bench.Runs() == 2);
}

TEST_CASE("a changed QEMU or compiler is asked again") {
  TempDir answers;
  const std::string qemu = answers / "qemu";
  std::ofstream(qemu) << "one";
  Bench bench(Answering(answers, qemu));
  VALUE_OF(bench.Compile(Spec("aaaaaaaaaaaa")));
  SECTION("QEMU") { std::ofstream(qemu) << "three"; }
  SECTION("the compiler") { bench.WriteProgram("# newer\n" + Answering(answers, qemu)); }
  VALUE_OF(bench.Compile(Spec("aaaaaaaaaaaa")));
  REQUIRE(bench.Runs() == 2);
}

TEST_CASE("what the child tells as an error reaches the caller as it was") {
  Bench bench(
      "echo '{\"error\": {\"code\": 9, \"cause\": \"QEMU is not installed\", "
      "\"remedy\": \"install it\"}}'; exit 1");
  const auto machine = bench.Compile(Spec("aaaaaaaaaaaa"));
  REQUIRE_CODE(machine, kFailedPrecondition);
  REQUIRE(Message(machine.status()) == "QEMU is not installed");
  REQUIRE(Remedy(machine.status()) == "install it");
}

TEST_CASE("a child that fails in any other way is told with its last words") {
  struct Case {
    std::string script;
    StatusCode code;
    std::string says;
  };
  const Case c = GENERATE(values<Case>({
      {"echo broken >&2; exit 3", StatusCode::kInternal, "exit code 3: broken"},
      {"kill -9 $$", StatusCode::kInternal, "signal 9 (Killed): it said nothing"},
      {"exit 0", StatusCode::kInternal, "exit code 0"},
      {"echo '{}'", StatusCode::kInternal, "told no files"},
      {"echo '{\"files\":[1],\"native\":\"\",\"qemu\":\"\",\"libvirt\":\"\"}'",
       StatusCode::kInternal, "a file without a name"},
      {"echo '{\"files\":[],\"native\":1}'", StatusCode::kInternal, "told no native"},
      {"echo '{\"error\":7}'", StatusCode::kInternal, "none"},
      {"echo '{\"error\":{\"code\":0,\"cause\":\"zero\"}}'", StatusCode::kInternal, "zero"},
      {"echo '{\"error\":{\"code\":99,\"cause\":\"high\"}}'", StatusCode::kInternal, "high"},
      {"echo 'define: error while loading shared libraries: libvirt.so.0: none' >&2; exit 127",
       StatusCode::kFailedPrecondition, "libvirt is not installed"},
      {"echo '{\"files\":[],\"qemu\":\"7\",\"libvirt\":\"9\",\"native\":\"qemu -evil x\"}'",
       StatusCode::kInternal, "no rule knows: -evil x"},
      {"head -c 2000000 /dev/zero", StatusCode::kInternal, "exit code 0"},
  }));
  Bench bench(c.script);
  const auto machine = bench.Compile(Spec("aaaaaaaaaaaa"));
  INFO(Describe(machine.status()));
  REQUIRE(machine.status().code() == c.code);
  REQUIRE_THAT(std::string(Message(machine.status())), Contains(c.says));
}

TEST_CASE("a failure is not kept: the next one asks again") {
  TempDir answers;
  Bench bench("exit 3");
  REQUIRE_CODE(bench.Compile(Spec("aaaaaaaaaaaa")), kInternal);
  bench.WriteProgram(Answering(answers, "/bin/sh"));
  VALUE_OF(bench.Compile(Spec("aaaaaaaaaaaa")));
}

TEST_CASE("a child that hangs is ended at its limit") {
  Bench bench("exec sleep 1000");
  bench.Restart(std::chrono::milliseconds(50));
  const auto machine = bench.Compile(Spec("aaaaaaaaaaaa"));
  REQUIRE_CODE(machine, kDeadlineExceeded);
}

TEST_CASE("a compiler that is not there fails every shape that waits") {
  Bench bench("");
  std::filesystem::remove(bench.program);
  MachineSpec large = Spec("large");
  large.memory_mib = 1024;
  int failed = 0;
  for (const MachineSpec& spec : {Spec("one"), large}) {
    bench.compiler->Compile(spec, [&](StatusOr<CompiledMachine> machine) {
      REQUIRE_CODE(machine, kNotFound);
      ++failed;
    });
  }
  REQUIRE(bench.loop.RunUntil([&] { return failed == 2; }));
}

TEST_CASE("a compiler that is destroyed calls nobody and ends its child") {
  Bench bench("exec sleep 1000");
  bool called = false;
  bench.compiler->Compile(Spec("aaaaaaaaaaaa"), [&](StatusOr<CompiledMachine>) { called = true; });
  SECTION("before it has looked into the cache") {}
  SECTION("while the child runs") {
    REQUIRE(bench.loop.RunUntil([&] { return bench.Runs() == 1; }));
  }
  bench.compiler.reset();
  bench.loop.RunReady();
  REQUIRE_FALSE(called);
}

TEST_CASE("a caller may destroy the compiler when it is called") {
  TempDir answers;
  Bench bench(Answering(answers, "/bin/sh"));
  bool called = false;
  bench.compiler->Compile(Spec("aaaaaaaaaaaa"), [&](StatusOr<CompiledMachine>) {
    called = true;
    bench.compiler.reset();
  });
  REQUIRE(bench.loop.RunUntil([&] { return called; }));
  bench.loop.RunReady();
}

TEST_CASE("a session's name that is none is refused, whatever libvirt says") {
  TempDir answers;
  Bench bench(Answering(answers, "/bin/sh"));
  REQUIRE_CODE(bench.Compile(Spec("a,process=b")), kInvalidArgument);
}

TEST_CASE("this host's libvirt and QEMU compile the default machine") {
  Bench bench("");
  bench.program = CAPSEM_DEFINE;
  bench.Restart();
  std::optional<StatusOr<CompiledMachine>> machine;
  bench.compiler->Compile(Spec("aaaaaaaaaaaa"),
                          [&](StatusOr<CompiledMachine> given) { machine = std::move(given); });
  // The first run on a host asks QEMU what it can do, which a busy host takes its time for.
  for (int patience = 0; patience < 6 && !machine; ++patience) {
    bench.loop.RunUntil([&] { return machine.has_value(); });
  }
  REQUIRE(machine.has_value());
  REQUIRE_OK(*machine);
  REQUIRE((*machine)->argv.front() == "/usr/bin/qemu-system-x86_64");
  REQUIRE_THAT((*machine)->argv, Catch::Matchers::VectorContains(std::string("tcg,tb-size=32")));
  REQUIRE_THAT((*machine)->qemu_version, Catch::Matchers::Matches("[0-9]+\\.[0-9.]+"));
  REQUIRE_THAT((*machine)->libvirt_version, Catch::Matchers::Matches("[0-9]+\\.[0-9.]+"));
}

}  // namespace
}  // namespace capsem::service
