#include "supervise/qemu_version.h"

#include <sys/stat.h>

#include <fstream>
#include <optional>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

StatusOr<std::string> Ask(TestLoop& loop, QemuVersion& qemu) {
  std::optional<StatusOr<std::string>> answer;
  qemu.Ask([&](const StatusOr<std::string>& version) { answer = version; });
  REQUIRE(!answer);
  REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
  return *answer;
}

void Script(const std::string& path, const std::string& line) {
  std::ofstream(path) << "#!/bin/sh\n" << line << "\n";
  chmod(path.c_str(), 0700);
}

}  // namespace

TEST_CASE("a QEMU that is there passes, a missing one names its package") {
  REQUIRE_OK(CheckQemu("/bin/sh"));
  const Status missing = CheckQemu("/nowhere/qemu-system-x86_64");
  REQUIRE_CODE(missing, kFailedPrecondition);
  REQUIRE(Message(missing).find("/nowhere/qemu-system-x86_64") != std::string::npos);
  REQUIRE(Remedy(missing).find("qemu-system-x86") != std::string::npos);
}

TEST_CASE("the version is what stands after QEMU's own words") {
  REQUIRE(ParseQemuVersion("QEMU emulator version 7.2.22 (Debian 1:7.2)\nCopyright") == "7.2.22");
  REQUIRE(ParseQemuVersion("QEMU emulator version 10.0\n") == "10.0");
  REQUIRE(ParseQemuVersion("something else").empty());
  REQUIRE(ParseQemuVersion("").empty());
}

TEST_CASE("a QEMU that is missing is asked for again, one that is there is remembered") {
  TestLoop loop;
  TempDir dir;
  QemuVersion qemu(loop, dir / "qemu");
  const auto missing = Ask(loop, qemu);
  REQUIRE_CODE(missing, kNotFound);
  REQUIRE(Remedy(missing.status()).find("apt-get install") != std::string::npos);
  Script(dir / "qemu", "echo QEMU emulator version 7.2.22");
  REQUIRE(VALUE_OF(Ask(loop, qemu)) == "7.2.22");
  Script(dir / "qemu", "exit 1");
  REQUIRE(VALUE_OF(Ask(loop, qemu)) == "7.2.22");
}

TEST_CASE("a program that is no QEMU is a problem too") {
  TestLoop loop;
  TempDir dir;
  Script(dir / "qemu", "echo hello");
  QemuVersion qemu(loop, dir / "qemu");
  REQUIRE_CODE(Ask(loop, qemu), kInternal);
}

}  // namespace capsem::service
