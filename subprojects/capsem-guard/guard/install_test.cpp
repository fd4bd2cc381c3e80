#include "guard/install.h"

#include <signal.h>

#include <filesystem>

#include "base/log.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "guard/testing/family.h"

namespace capsem {
namespace {

constexpr int kLeft = 0;     // as a companion leaves
constexpr int kStayed = 3;   // the loop ended although the guard should have ended the process
constexpr int kRefused = 4;  // Install said to leave
constexpr int kError = 5;

// A companion that runs until its parent is gone.
int RunCompanion(Family::Child& child, const GuardSpec& spec) {
  log::SetLevel(log::Level::kError);
  TestLoop loop;
  const auto guard = Guard::Install(loop, spec);
  if (!guard.ok()) return kError;
  if (*guard == nullptr) {
    child.Say("refused");
    return kRefused;
  }
  child.Say("guarded");
  loop.RunUntil([] { return false; });
  return kStayed;
}

TEST_CASE("a companion leaves with status 0 when its parent dies") {
  const int signal = GENERATE(SIGKILL, 0);
  Family family([](Family::Child& child) { return RunCompanion(child, {child.parent, ""}); });
  REQUIRE(family.Hear() == "guarded");
  family.EndParent(signal);
  REQUIRE(family.ChildStatus() == kLeft);
}

TEST_CASE("a companion whose loop is stuck leaves all the same") {
  Family family([](Family::Child& child) {
    log::SetLevel(log::Level::kError);
    TestLoop loop;
    const auto guard = Guard::Install(loop, {child.parent, ""});
    if (!guard.ok() || *guard == nullptr) return kError;
    child.Say("guarded");
    while (true) pause();
    return kStayed;
  });
  REQUIRE(family.Hear() == "guarded");
  family.EndParent(SIGKILL);
  REQUIRE(family.ChildStatus() == kLeft);
}

TEST_CASE("the parent's signal from anybody else ends nothing") {
  Family family([](Family::Child& child) {
    log::SetLevel(log::Level::kError);
    TestLoop loop;
    const auto guard = Guard::Install(loop, {child.parent, ""});
    if (!guard.ok() || *guard == nullptr) return kError;
    raise(SIGRTMIN);
    child.Say("still here");
    return kStayed;
  });
  REQUIRE(family.Hear() == "still here");
  REQUIRE(family.ChildStatus() == kStayed);
}

TEST_CASE("a companion refuses to stand alone, and never touches the lock then") {
  const TempDir dir;
  const std::string lock = dir / "companion.lock";
  const std::optional<pid_t> claimed =
      GENERATE(std::optional<pid_t>(), std::optional<pid_t>(1), std::optional<pid_t>(getpid()));
  Family family([&](Family::Child& child) { return RunCompanion(child, {claimed, lock}); });
  REQUIRE(family.Hear() == "refused");
  REQUIRE(family.ChildStatus() == kRefused);
  REQUIRE_FALSE(std::filesystem::exists(lock));
}

TEST_CASE("a companion whose parent died before Install refuses") {
  Family family([](Family::Child& child) {
    child.Say("started");
    child.AwaitOrphaned();
    return RunCompanion(child, {child.parent, ""});
  });
  REQUIRE(family.Hear() == "started");
  family.EndParent(SIGKILL);
  REQUIRE(family.ChildStatus() == kRefused);
}

TEST_CASE("only one companion is at work") {
  const TempDir dir;
  const std::string lock = dir / "companion.lock";
  const auto companion = [&](Family::Child& child) {
    return RunCompanion(child, {child.parent, lock});
  };
  Family first(companion);
  REQUIRE(first.Hear() == "guarded");
  {
    Family second(companion);
    REQUIRE(second.Hear() == "refused");
    REQUIRE(second.ChildStatus() == kRefused);
  }
  first.EndParent(SIGKILL);
  REQUIRE(first.ChildStatus() == kLeft);
  Family third(companion);
  REQUIRE(third.Hear() == "guarded");
}

TEST_CASE("a lock that cannot be made is an error") {
  Family family([](Family::Child& child) {
    const int status = RunCompanion(child, {child.parent, "/proc/no.lock"});
    child.Say("over");
    return status;
  });
  REQUIRE(family.Hear() == "over");
  REQUIRE(family.ChildStatus() == kError);
}

}  // namespace
}  // namespace capsem
