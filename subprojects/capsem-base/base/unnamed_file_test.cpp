#include "base/unnamed_file.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem {
namespace {

using Existing = UnnamedFile::Existing;

std::string Content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

size_t Entries(const TempDir& dir) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(dir.path()), {}));
}

}  // namespace

TEST_CASE("a file appears whole under its name, or not at all") {
  const TempDir dir;
  const UniqueFd folder(open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  {
    UnnamedFile given_up;
    REQUIRE(given_up.Open(folder.get()) == 0);
    REQUIRE(write(given_up.fd(), "half", 4) == 4);
  }
  REQUIRE(Entries(dir) == 0);
  UnnamedFile file;
  REQUIRE(file.Open(folder.get()) == 0);
  REQUIRE(write(file.fd(), "whole", 5) == 5);
  REQUIRE_FALSE(std::filesystem::exists(dir / "name"));
  REQUIRE(file.TakeName("name", Existing::kReplace) == 0);
  REQUIRE(Content(dir / "name") == "whole");
  REQUIRE(Entries(dir) == 1);
}

TEST_CASE("what has the name is replaced, or in the way") {
  const TempDir dir;
  const UniqueFd folder(open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::ofstream(dir / "name") << "old";
  UnnamedFile file;
  REQUIRE(file.Open(folder.get()) == 0);
  REQUIRE(write(file.fd(), "new", 3) == 3);
  SECTION("replaced") {
    REQUIRE(file.TakeName("name", Existing::kReplace) == 0);
    REQUIRE(Content(dir / "name") == "new");
  }
  SECTION("in the way") {
    REQUIRE(file.TakeName("name", Existing::kRefuse) == EEXIST);
    REQUIRE(Content(dir / "name") == "old");
  }
  SECTION("a link is replaced, not followed") {
    std::filesystem::rename(dir / "name", dir / "target");
    std::filesystem::create_symlink("target", dir / "name");
    REQUIRE(file.TakeName("name", Existing::kReplace) == 0);
    REQUIRE(Content(dir / "target") == "old");
    REQUIRE(Content(dir / "name") == "new");
    return;
  }
  SECTION("a folder is in the way, and nothing stays beside it") {
    std::filesystem::remove(dir / "name");
    std::filesystem::create_directory(dir / "name");
    {
      UnnamedFile moved = std::move(file);
      REQUIRE(moved.TakeName("name", Existing::kReplace) == EISDIR);
    }
    REQUIRE(std::filesystem::is_directory(dir / "name"));
  }
  REQUIRE(Entries(dir) == 1);
}

TEST_CASE("procfs has no files without a name, nor with one") {
  const UniqueFd folder(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  UnnamedFile file;
  REQUIRE(file.Open(folder.get()) != 0);
}

}  // namespace capsem
