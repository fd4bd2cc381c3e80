#include "base/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/unique_fd.h"

namespace capsem {
namespace {

constexpr int kNoLandlock = 77;

// A domain cannot be left: each case has a process of its own, whose exit code is the errno of what
// was tried. 0 = it worked.
int Confined(const LandlockSpec& spec, const std::function<int()>& attempt) {
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    const auto abi = RestrictByLandlock(spec);
    if (!abi.ok()) _exit(99);
    _exit(*abi == 0 ? kNoLandlock : attempt());
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

int Open(const std::string& path, int flags) {
  const UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC, 0600));
  return fd.valid() ? 0 : errno;
}

struct Fixture {
  Fixture() {
    for (const char* name : {"mine", "theirs", "shared"}) {
      REQUIRE(mkdir((dir / name).c_str(), 0700) == 0);
      REQUIRE(Open(dir / name + "/file", O_CREAT | O_WRONLY) == 0);
    }
    spec.read_write = {dir / "mine", dir / "missing"};
    spec.read_only = {dir / "shared"};
    spec.devices = {"/dev/null"};
  }
  const TempDir dir;
  LandlockSpec spec;
};

}  // namespace

TEST_CASE("a domain holds what the rules say, at every ABI") {
  if (LandlockAbi() == 0) return;
  Fixture f;
  f.spec.max_abi = GENERATE(1, 2, 3, 4, 5, 6, 1000);
  struct Case {
    const char* path;
    int flags;
    bool allowed;
  };
  const Case cases[] = {
      {"mine/file", O_RDWR | O_TRUNC, true},     {"mine/new", O_RDWR | O_CREAT, true},
      {"mine", O_RDONLY | O_DIRECTORY, true},    {"shared/file", O_RDONLY, true},
      {"shared/file", O_WRONLY, false},          {"shared/new", O_RDWR | O_CREAT, false},
      {"theirs/file", O_RDONLY, false},          {"theirs/file", O_WRONLY, false},
      {"theirs", O_RDONLY | O_DIRECTORY, false}, {"mine/../theirs/file", O_RDONLY, false}};
  for (const Case& c : cases) {
    INFO(c.path << " " << c.flags << " at ABI " << f.spec.max_abi);
    const int error = Confined(f.spec, [&] { return Open(f.dir / c.path, c.flags); });
    REQUIRE(error == (c.allowed ? 0 : EACCES));
  }
  REQUIRE(Confined(f.spec, [] { return Open("/dev/null", O_RDWR); }) == 0);
}

TEST_CASE("a file that is open already may be opened again when its descriptor is named") {
  if (LandlockAbi() == 0) return;
  Fixture f;
  const UniqueFd file(open((f.dir / "theirs/file").c_str(), O_RDONLY | O_CLOEXEC));
  const auto again = [&] { return Open(fmt::format("/proc/self/fd/{}", file.get()), O_RDONLY); };
  REQUIRE(Confined(f.spec, again) == EACCES);
  f.spec.read_only_fds = {file.get()};
  REQUIRE(Confined(f.spec, again) == 0);
}

TEST_CASE("nothing is executed but what is named") {
  if (LandlockAbi() == 0) return;
  Fixture f;
  f.spec.read_only = {"/"};
  const auto run = [] {
    execl("/bin/true", "true", nullptr);
    return errno;
  };
  REQUIRE(Confined(f.spec, run) == EACCES);
  f.spec.execute = {"/bin", "/lib64", "/lib"};
  REQUIRE(Confined(f.spec, run) == 0);
}

TEST_CASE("what a kernel's Landlock lacks is told, less with each version") {
  size_t before = LandlockGaps(1).size();
  REQUIRE(before == 4);
  for (int abi = 2; abi <= 7; ++abi) {
    const size_t now = LandlockGaps(abi).size();
    REQUIRE(now <= before);
    before = now;
  }
  REQUIRE(LandlockGaps(6).empty());
  REQUIRE(LandlockGaps(0).size() == 1);
}

}  // namespace capsem
