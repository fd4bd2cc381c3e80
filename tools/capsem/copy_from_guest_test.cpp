#include "copy_from_guest.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "testing/fake_guest_files.h"

namespace capsem::cli {
namespace {

constexpr auto kFile = v1::FILE_TYPE_FILE;
constexpr auto kFolder = v1::FILE_TYPE_FOLDER;
constexpr auto kSymlink = v1::FILE_TYPE_SYMLINK;

struct Fixture {
  Fixture() {
    guest.Put("/f", kFile, 0755, "bytes");
    guest.Folder("/d");
    guest.List("/d", "f", kFile);
    guest.Put("/d/f", kFile, 0600, "in d");
    guest.List("/d", "sub", kFolder, 0555);
    guest.Folder("/d/sub", 0555);
    guest.List("/d/sub", "\xff\n", kFile);
    guest.Put("/d/sub/\xff\n", kFile, 0644, "odd");
    guest.List("/d/sub", "up", kSymlink).set_link_target("../f");
  }
  Status Copy(const std::string& source, const std::string& to) {
    copy.emplace(guest, progress);
    return copy->Copy(source, to);
  }
  std::string Content(const std::string& path) const {
    std::ifstream file(dir / path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool Exists(const std::string& path) const {
    return std::filesystem::exists(std::filesystem::symlink_status(dir / path));
  }

  TempDir dir;
  FakeGuestFiles guest;
  Progress progress{Progress::Shown::kNever};
  std::optional<CopyFromGuest> copy;
};

}  // namespace

TEST_CASE("a file goes into a folder, onto a name, or onto a file") {
  Fixture f;
  REQUIRE_OK(f.Copy("/f", f.dir.path()));
  REQUIRE(f.Content("f") == "bytes");
  REQUIRE_OK(f.Copy("/f", f.dir / "other"));
  REQUIRE(f.Content("other") == "bytes");
  std::ofstream(f.dir / "old") << "something longer";
  std::filesystem::create_symlink("old", f.dir / "link");
  REQUIRE_OK(f.Copy("/f", f.dir / "link"));
  REQUIRE(f.Content("old") == "bytes");
  REQUIRE(std::filesystem::is_symlink(f.dir / "link"));
  REQUIRE_CODE(f.Copy("/f", f.dir / "none/"), kNotFound);
  REQUIRE_CODE(f.Copy("/f", f.dir / "none/f"), kNotFound);
  REQUIRE_CODE(f.Copy("/f", "/dev/null"), kFailedPrecondition);
  REQUIRE_CODE(f.Copy("/none", f.dir.path()), kNotFound);
}

TEST_CASE("a folder goes into a folder, onto a new name, or by what it holds") {
  Fixture f;
  std::string root;
  SECTION("into a folder") {
    REQUIRE_OK(f.Copy("/d", f.dir.path()));
    root = "d/";
  }
  SECTION("onto a new name") {
    REQUIRE_OK(f.Copy("/d", f.dir / "new"));
    root = "new/";
  }
  SECTION("what it holds") {
    f.guest.files["/d/."] = f.guest.files["/d"];
    f.guest.files["/d/./f"] = f.guest.files["/d/f"];
    f.guest.files["/d/./sub"] = f.guest.files["/d/sub"];
    f.guest.files["/d/./sub/\xff\n"] = f.guest.files["/d/sub/\xff\n"];
    REQUIRE_OK(f.Copy("/d/.", f.dir.path()));
  }
  REQUIRE(f.Content(root + "f") == "in d");
  REQUIRE(f.Content(root + "sub/\xff\n") == "odd");
  REQUIRE(f.Content(root + "sub/up") == "in d");
  struct stat stat {};
  REQUIRE(::stat((f.dir / (root + "sub")).c_str(), &stat) == 0);
  REQUIRE((stat.st_mode & 07777) == 0555);
  REQUIRE(f.copy->tally().files == 2);
  REQUIRE(f.copy->tally().folders == 2);
  REQUIRE(f.copy->tally().links == 1);
}

TEST_CASE("a folder does not take a file's place") {
  Fixture f;
  std::ofstream(f.dir / "file") << "kept";
  REQUIRE_CODE(f.Copy("/d", f.dir / "file"), kFailedPrecondition);
  REQUIRE(f.Content("file") == "kept");
}

TEST_CASE("a read that breaks off leaves the old file and nothing else") {
  Fixture f;
  std::ofstream(f.dir / "f") << "old";
  f.guest.breaks_after = 2;
  REQUIRE_CODE(f.Copy("/f", f.dir.path()), kUnavailable);
  REQUIRE(f.Content("f") == "old");
  REQUIRE(std::distance(std::filesystem::directory_iterator(f.dir.path()), {}) == 1);
}

TEST_CASE("a hostile guest's names lead nowhere") {
  Fixture f;
  const TempDir outside;
  const std::string name = GENERATE("..", "../x", "/tmp/x", "a/../../x", ".", "");
  const auto type = GENERATE(kFile, kFolder, kSymlink);
  f.guest.Folder("/evil");
  f.guest.List("/evil", name, type).set_link_target("x");
  f.guest.Put("/evil/" + name, type, 0644, "evil");
  REQUIRE_CODE(f.Copy("/evil", f.dir / "got"), kInvalidArgument);
  REQUIRE(std::filesystem::is_empty(f.dir / "got"));
  REQUIRE(std::distance(std::filesystem::directory_iterator(f.dir.path()), {}) == 1);
}

TEST_CASE("a hostile guest's links are not walked, and do not lead out") {
  Fixture f;
  const TempDir outside;
  f.guest.Folder("/evil");
  SECTION("a link out of the tree, and then a folder of that name") {
    f.guest.List("/evil", "x", kSymlink).set_link_target(outside.path());
    f.guest.List("/evil", "x", kFolder);
    f.guest.Folder("/evil/x");
    f.guest.List("/evil/x", "written", kFile);
    f.guest.Put("/evil/x/written", kFile, 0644, "evil");
    REQUIRE_OK(f.Copy("/evil", f.dir / "got"));
    REQUIRE(f.copy->tally().skipped.size() == 1);
    REQUIRE(f.Content("got/x/written") == "evil");
  }
  SECTION("a link inside the tree, and then a folder of that name") {
    f.guest.List("/evil", "y", kFolder);
    f.guest.Folder("/evil/y");
    f.guest.List("/evil", "x", kSymlink).set_link_target("y");
    f.guest.List("/evil", "x", kFolder);
    f.guest.Folder("/evil/x");
    REQUIRE_CODE(f.Copy("/evil", f.dir / "got"), kFailedPrecondition);
  }
  SECTION("a folder that is swapped for a link by somebody on this host") {
    std::filesystem::create_directory(f.dir / "got");
    std::filesystem::create_directory_symlink(outside.path(), f.dir / "got/x");
    f.guest.List("/evil", "x", kFolder);
    f.guest.Folder("/evil/x");
    REQUIRE_CODE(f.Copy("/evil/.", f.dir / "got"), kNotFound);
    f.guest.files["/evil/."] = f.guest.files["/evil"];
    REQUIRE_CODE(f.Copy("/evil/.", f.dir / "got"), kFailedPrecondition);
  }
  REQUIRE(std::filesystem::is_empty(outside.path()));
}

TEST_CASE("what is no file is told of, and the rest is copied") {
  Fixture f;
  f.guest.List("/d", "device", v1::FILE_TYPE_OTHER);
  f.guest.List("/d", "absolute", kSymlink).set_link_target("/etc/passwd");
  f.guest.List("/d", "last", kFile);
  f.guest.Put("/d/last", kFile, 04755, "last");
  REQUIRE_OK(f.Copy("/d", f.dir.path()));
  REQUIRE(f.copy->tally().skipped.size() == 2);
  REQUIRE_FALSE(f.Exists("d/device"));
  REQUIRE_FALSE(f.Exists("d/absolute"));
  REQUIRE(f.Content("d/last") == "last");
  f.guest.Put("/device", v1::FILE_TYPE_OTHER);
  REQUIRE_CODE(f.Copy("/device", f.dir.path()), kFailedPrecondition);
}

}  // namespace capsem::cli
