#include "guard/single_instance.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "guard/testing/family.h"

namespace capsem {
namespace {

TEST_CASE("the second one gets nothing until the first one is gone") {
  const TempDir dir;
  auto first = VALUE_OF(SingleInstance::Acquire(dir / "lock"));
  REQUIRE(first);
  REQUIRE_FALSE(VALUE_OF(SingleInstance::Acquire(dir / "lock")));
  REQUIRE(VALUE_OF(SingleInstance::Acquire(dir / "other")));
  first.reset();
  REQUIRE(VALUE_OF(SingleInstance::Acquire(dir / "lock")));
}

TEST_CASE("the lock moves with its object") {
  const TempDir dir;
  std::vector<SingleInstance> held;
  held.push_back(*VALUE_OF(SingleInstance::Acquire(dir / "lock")));
  REQUIRE_FALSE(VALUE_OF(SingleInstance::Acquire(dir / "lock")));
}

TEST_CASE("of twenty processes one has the lock, and its death by any signal gives it free") {
  const TempDir dir;
  const std::string path = dir / "lock";
  std::vector<std::unique_ptr<Family>> families;
  for (int i = 0; i < 20; ++i) {
    families.push_back(std::make_unique<Family>([&](Family::Child& child) {
      const auto lock = SingleInstance::Acquire(path);
      child.Say(!lock.ok() ? "error" : *lock ? "mine" : "taken");
      while (true) pause();
      return 0;
    }));
  }
  pid_t owner = 0;
  int taken = 0;
  for (const auto& family : families) {
    const std::string said = family->Hear();
    if (said == "taken") ++taken;
    if (said == "mine") owner = family->child();
  }
  REQUIRE(taken == 19);
  REQUIRE(owner != 0);
  std::string pid;
  std::getline(std::ifstream(path), pid);
  REQUIRE(pid == std::to_string(owner));
  REQUIRE_FALSE(VALUE_OF(SingleInstance::Acquire(path)));
  families.clear();
  REQUIRE(VALUE_OF(SingleInstance::Acquire(path)));
}

TEST_CASE("a program that the holder has started does not hold the lock") {
  const TempDir dir;
  auto lock = VALUE_OF(SingleInstance::Acquire(dir / "lock"));
  REQUIRE(lock);
  int executed[2];
  REQUIRE(pipe2(executed, O_CLOEXEC) == 0);
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sleep", "sleep", "60", nullptr);
    _exit(127);
  }
  close(executed[1]);
  char byte;
  REQUIRE(read(executed[0], &byte, 1) == 0);  // closed by its exec
  close(executed[0]);
  lock.reset();
  REQUIRE(VALUE_OF(SingleInstance::Acquire(dir / "lock")));
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, nullptr, 0) == child);
}

TEST_CASE("the file is ours alone, and its content decides nothing") {
  const TempDir dir;
  { std::ofstream(dir / "lock") << "a pid of long ago, longer than any other\n"; }
  REQUIRE(VALUE_OF(SingleInstance::Acquire(dir / "lock")));
  std::string pid;
  std::getline(std::ifstream(dir / "lock"), pid);
  REQUIRE(pid == std::to_string(getpid()));
  REQUIRE(VALUE_OF(SingleInstance::Acquire(dir / "new")));
  struct stat found {};
  REQUIRE(stat((dir / "new").c_str(), &found) == 0);
  REQUIRE((found.st_mode & 0777) == 0600);
}

TEST_CASE("what can be no lock file is an error, not a second instance") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "folder");
  std::filesystem::create_symlink(dir / "elsewhere", dir / "link");
  struct Case {
    std::string path;
    StatusCode code;
  };
  const std::vector<Case> cases = {
      {dir / "folder", StatusCode::kInternal},
      {dir / "link", StatusCode::kInternal},
      {dir / "no/such/folder", StatusCode::kNotFound},
      {"/proc/nothing", StatusCode::kNotFound},
      {"", StatusCode::kNotFound},
      {std::string("a\0b", 3), StatusCode::kInvalidArgument},
  };
  for (const Case& c : cases) {
    INFO(c.path);
    REQUIRE(SingleInstance::Acquire(c.path).status().code() == c.code);
  }
  REQUIRE_FALSE(std::filesystem::exists(dir / "elsewhere"));
}

}  // namespace
}  // namespace capsem
