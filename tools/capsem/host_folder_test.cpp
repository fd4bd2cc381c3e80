#include "host_folder.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::cli {
namespace {

mode_t ModeOf(const std::string& path) {
  struct stat stat {};
  REQUIRE(lstat(path.c_str(), &stat) == 0);
  return stat.st_mode & 07777;
}

std::string Content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a file appears whole, with permissions and nothing more") {
  const TempDir dir;
  const HostFolder folder = VALUE_OF(HostFolder::Open(dir.path()));
  {
    HostFile given_up = VALUE_OF(folder.Create("f"));
    REQUIRE_OK(given_up.Write("half"));
  }
  REQUIRE(std::filesystem::is_empty(dir.path()));
  HostFile file = VALUE_OF(folder.Create("f"));
  REQUIRE_OK(file.Write("whole"));
  REQUIRE_OK(file.Commit(06755));
  REQUIRE(Content(dir / "f") == "whole");
  REQUIRE(ModeOf(dir / "f") == 0755);
}

TEST_CASE("no name leads out of a folder") {
  const TempDir dir;
  const HostFolder folder = VALUE_OF(HostFolder::Open(dir.path()));
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("../x"),
        std::string("/tmp/x"), std::string("a/b"), std::string("a\0b", 3), std::string(256, 'n')}) {
    REQUIRE_CODE(folder.Create(name), kInvalidArgument);
    REQUIRE_CODE(folder.Enter(name), kInvalidArgument);
    REQUIRE_CODE(folder.Link(name, "x", 0), kInvalidArgument);
  }
  REQUIRE(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("no link is followed below the destination") {
  const TempDir dir, elsewhere;
  std::filesystem::create_directory_symlink(elsewhere.path(), dir / "folder");
  std::ofstream(elsewhere / "kept") << "kept";
  std::filesystem::create_symlink(elsewhere / "kept", dir / "file");
  const HostFolder folder = VALUE_OF(HostFolder::Open(dir.path()));
  REQUIRE_CODE(folder.Enter("folder"), kFailedPrecondition);
  HostFile file = VALUE_OF(folder.Create("file"));
  REQUIRE_OK(file.Write("new"));
  REQUIRE_OK(file.Commit(0644));
  REQUIRE(Content(elsewhere / "kept") == "kept");
  REQUIRE(Content(dir / "file") == "new");
}

TEST_CASE("a folder keeps its mode when it was there, and gets it when it is new") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "old");
  chmod((dir / "old").c_str(), 0750);
  const HostFolder folder = VALUE_OF(HostFolder::Open(dir.path()));
  REQUIRE_OK(VALUE_OF(folder.Enter("old")).SetMode(0777));
  REQUIRE(ModeOf(dir / "old") == 0750);
  const HostFolder made = VALUE_OF(folder.Enter("new"));
  REQUIRE(ModeOf(dir / "new") == 0700);
  REQUIRE_OK(made.SetMode(07555));
  REQUIRE(ModeOf(dir / "new") == 0555);
}

TEST_CASE("what is no file is not replaced") {
  const TempDir dir;
  REQUIRE(mkfifo((dir / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_directory(dir / "folder");
  const HostFolder folder = VALUE_OF(HostFolder::Open(dir.path()));
  REQUIRE_CODE(folder.Create("pipe"), kFailedPrecondition);
  REQUIRE_CODE(folder.Create("folder"), kFailedPrecondition);
  REQUIRE_CODE(folder.Link("folder", "x", 0), kFailedPrecondition);
  REQUIRE_CODE(VALUE_OF(HostFolder::Open("/dev")).Create("null"), kFailedPrecondition);
}

TEST_CASE("a link stays inside what is copied, or is none") {
  struct Case {
    const char* target;
    size_t depth;
    bool inside;
  };
  const auto c = GENERATE(Case{"a", 0, true}, Case{"a/b", 0, true}, Case{"./a", 0, true},
                          Case{"..", 1, true}, Case{"../a", 1, true}, Case{"../../a", 2, true},
                          Case{"", 0, false}, Case{"/", 9, false}, Case{"/etc/passwd", 9, false},
                          Case{"..", 0, false}, Case{"../..", 1, false}, Case{"a/..", 5, false},
                          Case{"a/../..", 5, false}, Case{"..//../a", 1, false},
                          Case{"./../a", 0, false}, Case{"...", 0, true}, Case{"a/", 0, true});
  INFO(c.target << " at " << c.depth);
  CHECK(StaysInside(c.target, c.depth) == c.inside);
}

}  // namespace capsem::cli
