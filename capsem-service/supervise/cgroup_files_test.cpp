#include "supervise/cgroup_files.h"

#include <catch2/catch.hpp>

#include "base/testing/status_matchers.h"
#include "testing/recorded_cgroups.h"

namespace capsem::service {

TEST_CASE("the folder of a process is found by the tree that is mounted") {
  RecordedCgroups tree;
  REQUIRE(VALUE_OF(GroupOf(tree.files(), "self")) == tree.unit());
  tree.Enter("77", std::string(RecordedCgroups::kUnit) + "/session-a");
  REQUIRE(VALUE_OF(GroupOf(tree.files(), "77")) == tree.unit() + "/session-a");
  REQUIRE_CODE(GroupOf(tree.files(), "78"), kNotFound);
}

TEST_CASE("the tree is found wherever it is mounted, also a part of it, beside cgroup v1") {
  struct Case {
    const char* groups;
    const char* mounts;
    const char* folder;  // nullptr: none
  };
  const auto c = GENERATE(
      Case{"0::/a/b\n", "29 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
           "/sys/fs/cgroup/a/b"},
      Case{"0::/\n", "29 22 0:26 / /sys/fs/cgroup rw - cgroup2 none rw\n", "/sys/fs/cgroup"},
      Case{"9:name=systemd:/x\n4:memory:/y\n0::/a\n",
           "33 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
           "34 30 0:29 / /sys/fs/cgroup/unified rw shared:3 master:1 - cgroup2 cgroup2 rw\n",
           "/sys/fs/cgroup/unified/a"},
      Case{"0::/a/b\n", "29 22 0:26 /a /part rw - cgroup2 cgroup2 rw\n", "/part/b"},
      Case{"0::/a\n", "29 22 0:26 /a /part rw - cgroup2 cgroup2 rw\n", "/part"},
      Case{"0::/ab\n", "29 22 0:26 /a /part rw - cgroup2 cgroup2 rw\n", nullptr},
      Case{"0::/a\n", "29 22 0:26 / /cgroup2 rw - tmpfs cgroup2 rw\n", nullptr},
      Case{"0::/a\n", "29 22 0:26 / /cgroup2 rw\n", nullptr}, Case{"0::/a\n", "", nullptr},
      Case{"4:memory:/y\n", "29 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", nullptr},
      Case{"", "", nullptr});
  RecordedCgroups tree;
  tree.Put(tree.proc() + "/self/cgroup", c.groups);
  tree.Put(tree.proc() + "/self/mountinfo", c.mounts);
  const auto folder = GroupOf(tree.files(), "self");
  if (c.folder == nullptr) {
    REQUIRE_CODE(folder, kFailedPrecondition);
    const Status none = DelegatedFolder(tree.files()).status();
    REQUIRE(std::string(Message(none)).find("cgroup v2") != std::string::npos);
  } else {
    REQUIRE(VALUE_OF(folder) == c.folder);
  }
}

TEST_CASE("a folder is delegated when it carries the mark, also to who is put just below it") {
  RecordedCgroups tree;
  REQUIRE(VALUE_OF(DelegatedFolder(tree.files())) == tree.unit());
  for (const char* inner : {"/service", "/.control"}) {
    tree.Enter("self", RecordedCgroups::kUnit + std::string(inner));
    REQUIRE(VALUE_OF(DelegatedFolder(tree.files())) == tree.unit());
  }
}

// user@1000.service is delegated, to systemd.
TEST_CASE("a folder below one that was delegated to somebody else is not ours") {
  RecordedCgroups tree;
  tree.marks.clear();
  const std::string slice = tree.unit().substr(0, tree.unit().rfind('/'));
  const bool above = GENERATE(false, true);
  if (above) tree.marks.insert(slice);
  const Status refused = DelegatedFolder(tree.files()).status();
  REQUIRE_CODE(refused, kFailedPrecondition);
  REQUIRE(std::string(Message(refused)).find(tree.unit() + ", is not delegated") !=
          std::string::npos);
  REQUIRE(Remedy(refused).find("systemctl --user start capsem") != std::string::npos);
}

// The kernel's part: a folder that is no cgroup carries no mark, and is no cgroup.
TEST_CASE("what is done to control files is told as the kernel says it") {
  const TempDir dir;
  const CgroupFiles files;
  REQUIRE_FALSE(files.marked(dir.path()));
  REQUIRE_FALSE(files.marked(dir / "none"));
  REQUIRE_CODE(files.write(dir / "memory.max", "1"), kNotFound);
  REQUIRE_OK(files.make(dir / "group"));
  REQUIRE_CODE(files.make(dir / "group"), kAlreadyExists);
  std::ofstream(dir / "group/memory.max") << "max\n";
  REQUIRE_OK(files.write(dir / "group/memory.max", "123"));
  REQUIRE(VALUE_OF(ReadControlFile(dir / "group/memory.max")) == "123");
  std::filesystem::remove(dir / "group/memory.max");
  REQUIRE_OK(files.remove(dir / "group"));
  REQUIRE_CODE(files.remove(dir / "group"), kNotFound);
  // "123" over "max\n", for a control file is never truncated.
  std::ofstream(dir / "cgroup.controllers") << "cpuset cpu io memory pids\n";
  REQUIRE(VALUE_OF(ControllersOf(dir.path())) ==
          std::set<std::string>{"cpuset", "cpu", "io", "memory", "pids"});
  REQUIRE_CODE(ControllersOf(dir / "none"), kNotFound);
}

}  // namespace capsem::service
