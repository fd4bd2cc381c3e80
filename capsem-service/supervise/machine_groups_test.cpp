#include "supervise/machine_groups.h"

#include <catch2/catch.hpp>

#include "base/testing/status_matchers.h"
#include "testing/recorded_cgroups.h"

namespace capsem::service {
namespace {

const MachineSize kBox = {"box", 2, 512};
constexpr const char* kBoxTold = "memory 776 MiB, 256 tasks, cpu weight 200";

bool Says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Status Denied() { return ErrnoStatus(EPERM, "write"); }

}  // namespace

TEST_CASE("a machine may use its memory and what the two programs need beside it") {
  const auto small = LimitsFor({"a", 1, 256});
  REQUIRE(small.size() == 3);
  REQUIRE(small[0].value == std::to_string((256 + 4 + 256) << 20));
  REQUIRE(small[1].value == "256");
  REQUIRE(small[2].value == "100");
  const auto large = LimitsFor({"a", 8, 16384});
  REQUIRE(large[0].value == std::to_string((16384ull + 256 + 256) << 20));
  REQUIRE(large[2].value == "800");
}

TEST_CASE("a delegated folder is divided: the service in one part, a machine in each other") {
  RecordedCgroups tree;
  MachineGroups groups(tree.files());
  REQUIRE(groups.text() == "memory, pids, cpu");
  REQUIRE(tree.Read("cgroup.subtree_control") == "cpu memory pids");
  REQUIRE(VALUE_OF(GroupOf(tree.files(), "self")) == tree.unit() + "/service");
  REQUIRE(tree.Read("service/cpu.weight") == "10000");

  auto group = groups.Make(kBox);
  REQUIRE(group->fd() >= 0);
  REQUIRE(group->text() == kBoxTold);
  REQUIRE(tree.Read("session-box/memory.max") == std::to_string(776 << 20));
  REQUIRE(tree.Read("session-box/pids.max") == "256");
  REQUIRE(tree.Read("session-box/cpu.weight") == "200");
  group = nullptr;
  REQUIRE_FALSE(tree.Has("session-box"));
}

TEST_CASE("a service that its unit has put into its part already stays there") {
  RecordedCgroups tree;
  REQUIRE_OK(tree.files().make(tree.unit() + "/service"));
  tree.Enter("self", RecordedCgroups::kUnit + std::string("/service"));
  const MachineGroups groups(tree.files());
  REQUIRE(groups.text() == "memory, pids, cpu");
  REQUIRE(tree.Has("service"));
}

// What the kernel says to it, and what people hear.
TEST_CASE("a folder that cannot be divided leaves rlimits only, and says why") {
  struct Case {
    std::string what;
    const char* told;
  };
  const auto c = GENERATE(
      Case{"no mark", "is not delegated to it (systemd delegates one"},
      Case{"no controllers", "has none of the controllers memory, pids, cpu"},
      Case{"only v1", "has none of the controllers"}, Case{"mkdir", "Operation not permitted"},
      Case{"cgroup.procs 0", "Operation not permitted"}, Case{"others", "has processes of its own"},
      Case{"denied", "Operation not permitted"});
  RecordedCgroups tree;
  if (c.what == "no mark") tree.marks.clear();
  if (c.what == "no controllers") tree.Put(tree.unit() + "/cgroup.controllers", "\n");
  if (c.what == "only v1") tree.Put(tree.unit() + "/cgroup.controllers", "hugetlb\n");
  if (c.what == "mkdir" || c.what == "cgroup.procs 0") tree.refused[c.what] = Denied();
  if (c.what == "others") tree.Enter("4711", RecordedCgroups::kUnit);
  if (c.what == "denied") {
    for (const char* one : {"memory", "pids", "cpu"})
      tree.refused[std::string("cgroup.subtree_control +") + one] = Denied();
  }
  MachineGroups groups(tree.files());
  CAPTURE(c.what, groups.text());
  REQUIRE(groups.text().starts_with("rlimits only: "));
  REQUIRE(Says(groups.text(), c.told));
  REQUIRE(VALUE_OF(GroupOf(tree.files(), "self")) == tree.unit());
  REQUIRE((c.what == "cgroup.procs 0" || !tree.Has("service")));

  const auto group = groups.Make(kBox);
  REQUIRE(group->fd() == -1);
  REQUIRE(group->text() == groups.text());
  REQUIRE_FALSE(tree.Has("session-box"));
}

TEST_CASE("what some controllers refuse is told, and the others limit") {
  RecordedCgroups tree;
  const bool missing = GENERATE(true, false);
  if (missing) {
    tree.Put(tree.unit() + "/cgroup.controllers", "memory pids\n");
  } else {
    tree.refused["cgroup.subtree_control +cpu"] = Denied();
  }
  MachineGroups groups(tree.files());
  REQUIRE(groups.text().starts_with("memory, pids; not cpu ("));
  REQUIRE(Says(groups.text(), missing ? "has no controller cpu" : "not permitted"));
  const auto group = groups.Make(kBox);
  REQUIRE(group->fd() >= 0);
  REQUIRE(group->text().starts_with("memory 776 MiB, 256 tasks; not cpu ("));
}

TEST_CASE("a machine that can have no group, or no limit in it, has rlimits only") {
  RecordedCgroups tree;
  MachineGroups groups(tree.files());
  SECTION("mkdir is refused, as beyond cgroup.max.descendants") {
    tree.refused["mkdir"] = ErrnoStatus(EAGAIN, "make session-box");
  }
  SECTION("every limit is refused") {
    for (const GroupLimit& limit : LimitsFor(kBox))
      tree.refused[limit.file + " " + limit.value] = ErrnoStatus(EINVAL, "write");
  }
  SECTION("the last machine of this session has left somebody there") {
    REQUIRE_OK(tree.files().make(tree.unit() + "/session-box"));
    tree.Enter("4711", RecordedCgroups::kUnit + std::string("/session-box"));
  }
  const bool was_there = tree.Has("session-box");
  const auto group = groups.Make(kBox);
  REQUIRE(group->fd() == -1);
  REQUIRE(group->text().starts_with("rlimits only: "));
  REQUIRE(tree.Has("session-box") == was_there);
}

TEST_CASE("a machine that was not born in its group has none") {
  RecordedCgroups tree;
  MachineGroups groups(tree.files());
  const auto group = groups.Make(kBox);
  group->Refuse(ErrnoStatus(EOPNOTSUPP, "be born in a cgroup"));
  REQUIRE(group->text() == "rlimits only: be born in a cgroup: Operation not supported");
  REQUIRE(group->fd() == -1);
  REQUIRE_FALSE(tree.Has("session-box"));
}

TEST_CASE("whoever is left in a group is ended, and the group goes when that has been") {
  RecordedCgroups tree;
  const std::string inside = RecordedCgroups::kUnit + std::string("/session-box");
  {
    MachineGroups groups(tree.files());
    auto group = groups.Make(kBox);
    tree.Enter("4711", inside);
    group = nullptr;
    REQUIRE(tree.Read("session-box/cgroup.kill") == "1");
    tree.End("4711");
    SECTION("with the next machine") {
      group = groups.Make({"next", 1, 256});
      REQUIRE_FALSE(tree.Has("session-box"));
    }
    SECTION("with a machine of the same session") {
      group = groups.Make(kBox);
      REQUIRE(group->text() == kBoxTold);
      REQUIRE(tree.Read("session-box/cgroup.kill").empty());
    }
    SECTION("with the service") {}
  }
  REQUIRE_FALSE(tree.Has("session-box"));
}

TEST_CASE("the next service removes what is empty, and adopts a machine with its limits") {
  RecordedCgroups tree;
  const std::string inside = RecordedCgroups::kUnit + std::string("/session-box");
  {
    MachineGroups earlier(tree.files());
    const auto group = earlier.Make(kBox);
    const auto dead = earlier.Make({"dead", 1, 256});
    tree.Enter("4711", inside);
    group->Leave();
    dead->Leave();
  }
  REQUIRE((tree.Has("session-box") && tree.Has("session-dead")));
  REQUIRE_OK(LiftLimits(tree.files()));
  REQUIRE(tree.Read("cgroup.subtree_control").empty());
  REQUIRE_FALSE(tree.Has("session-box/memory.max"));

  tree.Enter("self", RecordedCgroups::kUnit);  // where systemd starts it
  MachineGroups groups(tree.files());
  REQUIRE(groups.text() == "memory, pids, cpu");
  REQUIRE_FALSE(tree.Has("session-dead"));
  auto group = groups.Adopt(4711, kBox);
  REQUIRE(group->text() == kBoxTold);
  REQUIRE(tree.Read("session-box/memory.max") == std::to_string(776 << 20));
  tree.End("4711");
  group = nullptr;
  REQUIRE_FALSE(tree.Has("session-box"));
}

TEST_CASE("an adopted machine is never ended for want of a group or a limit") {
  RecordedCgroups tree;
  std::unique_ptr<MachineGroup> group;
  std::string told;
  const char* inside = "/service";
  SECTION("it is in none of its own") { told = "it was started in no cgroup of its own"; }
  SECTION("it is in another session's") {
    inside = "/session-other";
    told = "it was started in no cgroup of its own";
  }
  SECTION("no machine has one") {
    tree.marks.clear();
    told = "is not delegated";
  }
  SECTION("its group can no longer be limited") {
    inside = "/session-box";
    told = "has no controller memory";
    REQUIRE_OK(tree.files().make(tree.unit() + inside));
    tree.Put(tree.unit() + inside + "/cgroup.controllers", "\n");
    tree.marks.clear();
  }
  tree.Enter("4711", RecordedCgroups::kUnit + std::string(inside));
  MachineGroups groups(tree.files());
  group = groups.Adopt(4711, kBox);
  CAPTURE(group->text());
  REQUIRE(group->text().starts_with("rlimits only: "));
  REQUIRE(Says(group->text(), told));
  REQUIRE(tree.Read("session-box/cgroup.kill").empty());
  group->Leave();
  REQUIRE(groups.Adopt(1 << 30, kBox)->text().starts_with("rlimits only: "));
}

TEST_CASE("limits are lifted from where systemd runs what comes after a service") {
  RecordedCgroups tree;
  {
    MachineGroups groups(tree.files());
    tree.Enter("self", RecordedCgroups::kUnit + std::string("/.control"));
  }
  REQUIRE(tree.Read("cgroup.subtree_control") == "cpu memory pids");
  REQUIRE_OK(LiftLimits(tree.files()));
  REQUIRE(tree.Read("cgroup.subtree_control").empty());
  tree.marks.clear();
  REQUIRE_CODE(LiftLimits(tree.files()), kFailedPrecondition);
}

}  // namespace capsem::service
