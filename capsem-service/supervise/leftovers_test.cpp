#include "supervise/leftovers.h"

#include <unistd.h>

#include <filesystem>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "testing/sleeping_process.h"

namespace capsem::service {
namespace fs = std::filesystem;

TEST_CASE("what runs of a machine in a session's folder is ended, and nothing else is") {
  TempDir dir;
  const std::string sessions = dir / "sessions";
  fs::create_directories(sessions + "/abcdefghijkl/guest");
  fs::create_directories(dir / "sessions2/abcdefghijkl");
  const SleepingProcess process(dir / "capsem-process", sessions + "/abcdefghijkl");
  const SleepingProcess machine(dir / "qemu-system-x86_64", sessions + "/abcdefghijkl");
  const SleepingProcess shell(dir / "bash", sessions + "/abcdefghijkl");
  const SleepingProcess elsewhere(dir / "capsem-process", dir / "sessions2/abcdefghijkl");
  REQUIRE(EndLeftovers(sessions, {}).empty());
  REQUIRE(!process.lives());
  REQUIRE(!machine.lives());
  REQUIRE(shell.lives());
  REQUIRE(elsewhere.lives());
}

TEST_CASE("what is spared goes on with its children, and is known by program and folder") {
  TempDir dir;
  const std::string sessions = dir / "sessions";
  const std::string session = sessions + "/abcdefghijkl";
  fs::create_directories(session);
  fs::create_directories(sessions + "/bcdefghijklm");
  const SleepingProcess process(dir / "capsem-process", session);
  const SleepingProcess other(dir / "capsem-process", sessions + "/bcdefghijklm");
  const SleepingProcess shell(dir / "bash", session);
  REQUIRE(EndLeftovers(sessions, {process.pid}).empty());
  REQUIRE(process.lives());
  REQUIRE(!other.lives());
  // All of them are children of this process.
  REQUIRE(EndLeftovers(sessions, {getpid()}).empty());
  REQUIRE(process.lives());
  REQUIRE(IsProcessOf(process.pid, session));
  REQUIRE(!IsProcessOf(process.pid, sessions + "/bcdefghijklm"));
  REQUIRE(!IsProcessOf(shell.pid, session));
  REQUIRE(!IsProcessOf(process.pid, dir / "nowhere"));
}

TEST_CASE("a folder without processes has no leftovers, nor has one that is not there") {
  TempDir dir;
  REQUIRE(EndLeftovers(dir.path(), {}).empty());
  REQUIRE(EndLeftovers(dir / "nowhere", {}).empty());
}

}  // namespace capsem::service
