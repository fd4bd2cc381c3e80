#include "supervise/leftovers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::service {
namespace {

namespace fs = std::filesystem;

// A process that sleeps in `folder`, under a program of that name.
pid_t Sleeper(const std::string& program, const std::string& folder) {
  fs::copy_file("/bin/sleep", program, fs::copy_options::skip_existing);
  int ready[2];
  REQUIRE(pipe2(ready, O_CLOEXEC) == 0);
  const pid_t pid = fork();
  if (pid == 0) {
    if (chdir(folder.c_str()) == 0) execl(program.c_str(), "sleep", "60", nullptr);
    _exit(1);
  }
  close(ready[1]);
  char nothing = 0;
  REQUIRE(read(ready[0], &nothing, 1) == 0);  // closed by its exec
  close(ready[0]);
  return pid;
}

bool Ended(pid_t pid) { return waitpid(pid, nullptr, WNOHANG) == pid; }

void End(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

}  // namespace

TEST_CASE("what runs of a machine in a session's folder is ended, and nothing else is") {
  TempDir dir;
  const std::string sessions = dir / "sessions";
  fs::create_directories(sessions + "/abcdefghijkl/guest");
  fs::create_directories(dir / "sessions2/abcdefghijkl");
  const pid_t process = Sleeper(dir / "capsem-process", sessions + "/abcdefghijkl");
  const pid_t machine = Sleeper(dir / "qemu-system-x86_64", sessions + "/abcdefghijkl");
  const pid_t shell = Sleeper(dir / "bash", sessions + "/abcdefghijkl");
  const pid_t elsewhere = Sleeper(dir / "capsem-process", dir / "sessions2/abcdefghijkl");
  REQUIRE(EndLeftovers(sessions).empty());
  REQUIRE(Ended(process));
  REQUIRE(Ended(machine));
  REQUIRE(!Ended(shell));
  REQUIRE(!Ended(elsewhere));
  End(shell);
  End(elsewhere);
}

TEST_CASE("a folder without processes has no leftovers, nor has one that is not there") {
  TempDir dir;
  REQUIRE(EndLeftovers(dir.path()).empty());
  REQUIRE(EndLeftovers(dir / "nowhere").empty());
}

}  // namespace capsem::service
