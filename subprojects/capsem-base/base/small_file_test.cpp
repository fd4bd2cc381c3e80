#include "base/small_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/unique_fd.h"

namespace capsem {
namespace {

TEST_CASE("a file is written whole, at 0600, and read back") {
  TempDir dir;
  for (const std::string& text : {std::string("one"), std::string(), std::string("t\0o", 3)}) {
    REQUIRE_OK(WriteSmallFile(dir / "file", text));
    REQUIRE(VALUE_OF(ReadSmallFile(AT_FDCWD, dir / "file", 3)) == text);
  }
  struct stat found {};
  REQUIRE(stat((dir / "file").c_str(), &found) == 0);
  REQUIRE((found.st_mode & 07777) == 0600);
  REQUIRE(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a write that fails leaves nothing") {
  TempDir dir;
  std::filesystem::create_directory(dir / "file");
  REQUIRE_CODE(WriteSmallFile(dir / "file", "text"), kInternal);
  REQUIRE(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
  REQUIRE_CODE(WriteSmallFile(dir / "none/file", "text"), kNotFound);
}

TEST_CASE("what a killed writer has left is found by its name, and nothing else is") {
  TempDir dir;
  // As in the moment before the rename.
  const pid_t writer = fork();
  if (writer == 0) {
    const rlimit none = {0, 0};  // the first byte kills
    setrlimit(RLIMIT_FSIZE, &none);
    WriteSmallFile(dir / "state", "text").IgnoreError();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(writer, &status, 0) == writer);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
  const std::vector<std::string> others = {"state", "state.1", "disk.img.new", "a.new-1234567",
                                           "a.new-123.new"};
  for (const std::string& name : others) std::ofstream(dir / name) << "text";
  RemoveUnfinishedIn(dir.path());
  REQUIRE(std::distance(std::filesystem::directory_iterator(dir.path()), {}) ==
          static_cast<ptrdiff_t>(others.size()));
  for (const std::string& name : others) REQUIRE(std::filesystem::exists(dir / name));
  RemoveUnfinishedIn(dir / "none");
}

TEST_CASE("what is too large, no file, or not there is refused") {
  TempDir dir;
  const UniqueFd folder(open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::ofstream(dir / "large") << "1234";
  std::filesystem::create_directory(dir / "folder");
  REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
  REQUIRE_CODE(ReadSmallFile(folder.get(), "large", 3), kDataLoss);
  REQUIRE_CODE(ReadSmallFile(folder.get(), "folder", 4096), kDataLoss);
  REQUIRE_CODE(ReadSmallFile(folder.get(), "fifo", 4096), kDataLoss);
  REQUIRE_CODE(ReadSmallFile(folder.get(), "none", 4096), kNotFound);
}

}  // namespace
}  // namespace capsem
