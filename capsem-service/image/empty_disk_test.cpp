#include "image/empty_disk.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

constexpr uint64_t kBytes = uint64_t{16} << 30;

// A folder for the empty disk, and copies made in it.
class Folder {
 public:
  explicit Folder(std::vector<std::string> programs = {"/usr/sbin/mkfs.ext4"})
      : disk(std::make_unique<EmptyDisk>(loop, EmptyDiskSpec{dir.path(), kBytes, programs})) {}

  Status Copy(const std::string& name) {
    std::optional<Status> answer;
    disk->Copy(dir / name, [&](const Status& status) { answer = status; });
    REQUIRE_FALSE(answer);
    REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }
  std::string Made() const { return dir / fmt::format("empty_disk_{}.img", kBytes); }
  size_t Files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(dir.path()), {}));
  }

  TempDir dir;
  TestLoop loop;
  std::unique_ptr<EmptyDisk> disk;
};

// A stand-in for mkfs.ext4 that does what a test needs.
std::string Script(const TempDir& dir, const std::string& text) {
  std::string path = dir / "mkfs";
  std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
  chmod(path.c_str(), 0755);
  return path;
}

struct stat Stat(const std::string& path) {
  struct stat found {};
  REQUIRE(stat(path.c_str(), &found) == 0);
  return found;
}

TEST_CASE("a copy is a sparse ext4 disk at 0600, and the empty disk is made once") {
  Folder folder;
  REQUIRE_OK(folder.Copy("one"));
  const auto inode = Stat(folder.Made()).st_ino;
  REQUIRE_OK(folder.Copy("two"));
  REQUIRE(Stat(folder.Made()).st_ino == inode);
  for (const char* name : {"one", "two"}) {
    const struct stat copy = Stat(folder.dir / name);
    REQUIRE(static_cast<uint64_t>(copy.st_size) == kBytes);
    REQUIRE((copy.st_mode & 07777) == 0600);
    REQUIRE(copy.st_blocks * 512 < 16 * 1024 * 1024);
    const std::string check = "/usr/sbin/e2fsck -fn " + (folder.dir / name) + " >/dev/null 2>&1";
    REQUIRE(std::system(check.c_str()) == 0);
    const std::string journal =
        "/usr/sbin/dumpe2fs -h " + (folder.dir / name) + " 2>/dev/null | grep -q has_journal";
    REQUIRE(std::system(journal.c_str()) == 0);
  }
  REQUIRE(folder.Files() == 3);
}

TEST_CASE("copies asked for while the disk is made all get theirs") {
  Folder folder;
  int answers = 0;
  for (int i = 0; i < 4; ++i) {
    folder.disk->Copy(folder.dir / fmt::format("copy{}", i), [&](const Status& status) {
      REQUIRE_OK(status);
      ++answers;
    });
  }
  REQUIRE(folder.loop.RunUntil([&] { return answers == 4; }));
  REQUIRE(folder.Files() == 5);
}

TEST_CASE("two that share a folder make it beside each other, and both have a disk") {
  Folder folder;
  EmptyDisk other(folder.loop, {folder.dir.path(), kBytes});
  int answers = 0;
  for (EmptyDisk* disk : {folder.disk.get(), &other}) {
    disk->Copy(folder.dir / fmt::format("copy{}", disk == &other), [&](const Status& status) {
      REQUIRE_OK(status);
      ++answers;
    });
  }
  REQUIRE(folder.loop.RunUntil([&] { return answers == 2; }));
  REQUIRE(folder.Files() == 3);
}

TEST_CASE("a damaged or missing empty disk is made anew") {
  Folder folder;
  REQUIRE_OK(folder.Copy("one"));
  std::filesystem::resize_file(folder.Made(), 4096);
  REQUIRE_OK(folder.Copy("two"));
  std::fstream(folder.Made(), std::ios::in | std::ios::out).seekp(1024 + 56).put('x');
  REQUIRE_OK(folder.Copy("three"));
  std::filesystem::remove(folder.Made());
  REQUIRE_OK(folder.Copy("four"));
  REQUIRE(Stat(folder.dir / "two").st_blocks == Stat(folder.dir / "four").st_blocks);
}

TEST_CASE("what lies where the copy should go stays, and says so") {
  Folder folder;
  REQUIRE_OK(folder.Copy("one"));
  REQUIRE_CODE(folder.Copy("one"), kAlreadyExists);
}

TEST_CASE("without mkfs.ext4 the package is named") {
  Folder folder({"/nonexistent/mkfs.ext4"});
  const Status status = folder.Copy("one");
  REQUIRE_CODE(status, kFailedPrecondition);
  REQUIRE(Remedy(status) == "apt-get install e2fsprogs");
  REQUIRE(folder.Files() == 0);
}

TEST_CASE("a mkfs.ext4 that fails leaves nothing and says what it said") {
  struct Case {
    const char* script;
    StatusCode code;
    const char* reason;
  };
  for (const Case& c : {Case{"echo broken >&2; exit 3", StatusCode::kInternal, "broken"},
                        Case{"echo No space left on device >&2; exit 1",
                             StatusCode::kResourceExhausted, "no space"},
                        Case{"exit 0", StatusCode::kDataLoss, "not an empty disk"}}) {
    TempDir scripts;
    Folder folder({Script(scripts, c.script)});
    const Status status = folder.Copy("one");
    INFO(Describe(status));
    REQUIRE(status.code() == c.code);
    REQUIRE(Message(status).find(c.reason) != std::string_view::npos);
    REQUIRE(folder.Files() == 0);
  }
}

TEST_CASE("who waits when the owner goes is told, and nothing is left half-made") {
  TempDir scripts;
  Folder folder({Script(scripts, "echo > " + (scripts / "begun") + "; exec sleep 60")});
  std::optional<Status> answer;
  folder.disk->Copy(folder.dir / "one", [&](const Status& status) { answer = status; });
  REQUIRE(folder.loop.RunUntil([&] { return std::filesystem::exists(scripts / "begun"); }));
  folder.disk.reset();
  REQUIRE(folder.loop.RunUntil([&] { return answer.has_value(); }));
  REQUIRE_CODE(*answer, kCancelled);
  REQUIRE(folder.Files() == 0);
}

}  // namespace
}  // namespace capsem::service
