#include "turn.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/timer.h"
#include "base/unix_socket.h"

namespace capsem::service {
namespace {

struct Fixture {
  TempDir home;
  Loop loop;
  RunDir dirs = Dirs();

  RunDir Dirs() {
    setenv("CAPSEM_HOME", home.path().c_str(), 1);
    RunDir dirs = VALUE_OF(RunDir::FromEnvironment());
    REQUIRE_OK(dirs.Make());
    return dirs;
  }
  SingleInstance Hold(const std::string& version) {
    auto lock = VALUE_OF(SingleInstance::Acquire(dirs.ServiceLock(), version));
    REQUIRE(lock.has_value());
    return *std::move(lock);
  }
};

}  // namespace

TEST_CASE("whoever comes first has the lock") {
  Fixture f;
  REQUIRE(VALUE_OF(TakeTurn(f.loop, f.dirs, "1.0")).lock.has_value());
}

TEST_CASE("whoever comes second hears who serves, and of which version that is") {
  Fixture f;
  const std::string version = GENERATE("1.0", "0.9");
  const SingleInstance first = f.Hold(version);
  const UniqueFd socket = VALUE_OF(ListenUnix(f.dirs.ServiceSocket()));
  const Turn turn = VALUE_OF(TakeTurn(f.loop, f.dirs, "1.0"));
  REQUIRE(!turn.lock.has_value());
  REQUIRE(turn.other.find("another service") == 0);
  REQUIRE(turn.other.find(f.dirs.ServiceSocket()) != std::string::npos);
  const bool told = turn.other.find("version 0.9") != std::string::npos;
  REQUIRE(told == (version == "0.9"));
}

TEST_CASE("when the first one leaves without serving, the second takes its place") {
  Fixture f;
  int held[2];
  REQUIRE(pipe(held) == 0);
  const pid_t first = fork();
  if (first == 0) {
    const auto lock = SingleInstance::Acquire(f.dirs.ServiceLock(), "1.0");
    [[maybe_unused]] const ssize_t told = write(held[1], "x", 1);
    pause();
    _exit(0);
  }
  char word = 0;
  REQUIRE(read(held[0], &word, 1) == 1);
  Timer leaves(f.loop);
  leaves.Start(std::chrono::milliseconds(20), [&] { kill(first, SIGKILL); });
  REQUIRE(VALUE_OF(TakeTurn(f.loop, f.dirs, "1.0")).lock.has_value());
  REQUIRE(waitpid(first, nullptr, 0) == first);
  close(held[0]);
  close(held[1]);
}

}  // namespace capsem::service
