#include "guard/parent_watch.h"

#include <csignal>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"
#include "guard/testing/family.h"

namespace capsem {
namespace {

TEST_CASE("only the real parent can be watched") {
  TestLoop loop;
  const auto watch = [&](pid_t pid) { return ParentWatch::Create(loop, pid, [] {}); };
  REQUIRE_OK(watch(getppid()));
  for (const pid_t wrong : {0, 1, -1, getpid(), 0x3fffffff}) {
    INFO(wrong);
    REQUIRE_CODE(watch(wrong), kFailedPrecondition);
  }
}

TEST_CASE("a living parent causes no event, and a watch that is gone causes none either") {
  TestLoop loop;
  bool gone = false;
  {
    const auto watch = VALUE_OF(ParentWatch::Create(loop, getppid(), [&] { gone = true; }));
  }
  const auto watch = VALUE_OF(ParentWatch::Create(loop, getppid(), [&] { gone = true; }));
  loop.RunReady();
  REQUIRE_FALSE(gone);
}

TEST_CASE("the end of the parent is told once, however it ends") {
  const int signal = GENERATE(SIGKILL, SIGTERM, 0);
  INFO(signal);
  Family family([](Family::Child& child) {
    TestLoop loop;
    int gone = 0;
    std::unique_ptr<ParentWatch> watch;
    auto created = ParentWatch::Create(loop, child.parent, [&] {
      ++gone;
      watch.reset();  // a watch may be destroyed from within its event
    });
    if (!created.ok()) return 10;
    watch = *std::move(created);
    child.Say("watching");
    loop.RunUntil([&] { return gone > 0; });
    loop.RunReady();
    return gone;
  });
  REQUIRE(family.Hear() == "watching");
  family.EndParent(signal);
  REQUIRE(family.ChildStatus() == 1);
}

TEST_CASE("a parent that nobody has reaped is gone all the same") {
  Family family([](Family::Child& child) {
    TestLoop loop;
    bool gone = false;
    const auto watch = ParentWatch::Create(loop, child.parent, [&] { gone = true; });
    child.Say("watching");
    return loop.RunUntil([&] { return gone; }) ? 1 : 2;
  });
  REQUIRE(family.Hear() == "watching");
  family.EndParentWithoutReaping();
  REQUIRE(family.ChildStatus() == 1);
}

TEST_CASE("a parent that died before Create is no parent") {
  Family family([](Family::Child& child) {
    child.Say("started");
    child.AwaitOrphaned();
    TestLoop loop;
    const auto watch = ParentWatch::Create(loop, child.parent, [] {});
    return absl::IsFailedPrecondition(watch.status()) ? 1 : 2;
  });
  REQUIRE(family.Hear() == "started");
  family.EndParent(SIGKILL);
  REQUIRE(family.ChildStatus() == 1);
}

TEST_CASE("a pid is a decimal number over 1") {
  REQUIRE(ParsePid("2") == 2);
  REQUIRE(ParsePid("4194304") == 4194304);
  for (const char* bad : {"", "0", "1", "-5", "+5", " 5", "5 ", "0x10", "five", "99999999999"}) {
    INFO(bad);
    REQUIRE(ParsePid(bad) == std::nullopt);
  }
}

}  // namespace
}  // namespace capsem
