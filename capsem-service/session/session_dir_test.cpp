#include "session/session_dir.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::service {
namespace {
mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}
}  // namespace

TEST_CASE("a session's folder is for its owner alone, whatever the umask") {
  TempDir dir;
  const mode_t before = umask(0);
  REQUIRE_OK(MakeSessionDir(dir / "abcdefghijkl"));
  umask(before);
  REQUIRE(ModeOf(dir / "abcdefghijkl") == 0700);
  REQUIRE(ModeOf(dir / "abcdefghijkl/guest") == 0700);
  REQUIRE_CODE(MakeSessionDir(dir / "abcdefghijkl"), kAlreadyExists);
}

TEST_CASE("a folder is removed with all it holds, and only once is fine too") {
  TempDir dir;
  REQUIRE_OK(MakeSessionDir(dir / "abcdefghijkl"));
  std::ofstream(dir / "abcdefghijkl/guest/file") << "x";
  REQUIRE_OK(RemoveSessionDir(dir / "abcdefghijkl"));
  REQUIRE(!std::filesystem::exists(dir / "abcdefghijkl"));
  REQUIRE_OK(RemoveSessionDir(dir / "abcdefghijkl"));
}

TEST_CASE("only folders with a session's id count as sessions") {
  TempDir dir;
  REQUIRE_OK(MakeSessionDir(dir / "abcdefghijkl"));
  REQUIRE_OK(MakeSessionDir(dir / "notes"));
  std::ofstream(dir / "bbbbbbbbbbbb") << "a file";
  std::filesystem::create_directory_symlink("/", dir / "cccccccccccc");
  const auto ids = SessionDirsIn(dir.path());
  REQUIRE(ids.size() == 1);
  REQUIRE(ids[0].text() == "abcdefghijkl");
  REQUIRE(SessionDirsIn(dir / "nowhere").empty());
}

TEST_CASE("what killed processes leave is swept, and nothing else") {
  TempDir dir;
  REQUIRE_OK(MakeSessionDir(dir / "abcdefghijkl"));
  const std::vector<std::string> stay = {"disk.img", "process.log", "link.state", "last_word"};
  const std::vector<std::string> go = {"process.sock", "process.sock~", "disk.img.new",
                                       "link.state.new-a1B2c3", "last_word.new-a1B2c3"};
  for (const auto* names : {&stay, &go})
    for (const std::string& name : *names) std::ofstream(dir / ("abcdefghijkl/" + name)) << "x";
  SweepSessionDir(dir / "abcdefghijkl");
  for (const std::string& name : stay)
    REQUIRE(std::filesystem::exists(dir / ("abcdefghijkl/" + name)));
  for (const std::string& name : go)
    REQUIRE(!std::filesystem::exists(dir / ("abcdefghijkl/" + name)));
  SweepSessionDir(dir / "nowhere");
}

TEST_CASE("the disk of a failed session goes, its logs stay") {
  TempDir dir;
  REQUIRE_OK(MakeSessionDir(dir / "abcdefghijkl"));
  std::ofstream(dir / "abcdefghijkl/disk.img") << "x";
  std::ofstream(dir / "abcdefghijkl/process.log") << "x";
  RemoveSessionDisk(dir / "abcdefghijkl");
  REQUIRE(!std::filesystem::exists(dir / "abcdefghijkl/disk.img"));
  REQUIRE(std::filesystem::exists(dir / "abcdefghijkl/process.log"));
}

}  // namespace capsem::service
