#include "define/stray_probes.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/byte_stream.h"
#include "base/child.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

// A process that lives until it is ended, with `argument` on its command line.
struct Sleeper {
  explicit Sleeper(TestLoop& loop, const std::string& argument) {
    ChildSpec spec;
    spec.program = "/bin/sh";
    spec.args = {"-c", "read line", argument};
    auto [near, far] = VALUE_OF(SocketPair());
    spec.stdin_fd = far.get();
    keep_open = std::move(near);
    child = VALUE_OF(Child::Spawn(loop, std::move(spec), [this](ExitReason reason) {
      ended = true;
      signal = reason.signal;
    }));
  }
  UniqueFd keep_open;
  bool ended = false;
  int signal = 0;
  std::unique_ptr<Child> child;
};

std::string MakeProbeFolder(const TempDir& root, const std::string& name, pid_t pid) {
  const std::string folder = root / ("lib/qemu/" + name);
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/qmp.pid") << pid << "\n";
  return folder;
}

TEST_CASE("a probe that was left over is ended, and its folder goes") {
  TestLoop loop;
  TempDir root;
  Sleeper probe(loop, "unix:/old/root/lib/qemu/qmp-AbC123/qmp.monitor,server=on");
  const std::string folder = MakeProbeFolder(root, "qmp-AbC123", probe.child->pid());
  REQUIRE(EndStrayProbes(root.path()) == 1);
  REQUIRE(loop.RunUntil([&] { return probe.ended; }));
  REQUIRE(probe.signal == SIGKILL);
  REQUIRE_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("a process that only has the old pid is left alone") {
  TestLoop loop;
  TempDir root;
  Sleeper stranger(loop, "qmp-other/qmp.monitor");
  const std::string folder = MakeProbeFolder(root, "qmp-AbC123", stranger.child->pid());
  REQUIRE(EndStrayProbes(root.path()) == 0);
  REQUIRE_FALSE(std::filesystem::exists(folder));
  stranger.child->Signal(SIGTERM);
  REQUIRE(loop.RunUntil([&] { return stranger.ended; }));
  REQUIRE(stranger.signal == SIGTERM);
}

TEST_CASE("folders of machines, and a root that is not there, are no fault") {
  TempDir root;
  REQUIRE(EndStrayProbes(root.path()) == 0);
  const std::string folder = MakeProbeFolder(root, "domain-1-x", 1);
  REQUIRE(EndStrayProbes(root.path()) == 0);
  REQUIRE(std::filesystem::exists(folder));
}

TEST_CASE("a pid file with nonsense ends nobody") {
  TempDir root;
  MakeProbeFolder(root, "qmp-a", 0);
  MakeProbeFolder(root, "qmp-b", -1);
  MakeProbeFolder(root, "qmp-c", 1);
  REQUIRE(EndStrayProbes(root.path()) == 0);
}

}  // namespace
}  // namespace capsem::service
