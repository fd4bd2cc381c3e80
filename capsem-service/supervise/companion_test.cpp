#include "supervise/companion.h"

#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A companion that is a shell script.
struct Fixture {
  TestLoop loop;
  TempDir dir;
  std::string program = dir / "companion";
  Status found = OkStatus();
  std::unique_ptr<Companion> companion;

  explicit Fixture(const std::string& lines) {
    std::ofstream(program) << "#!/bin/sh\n" << lines << "\n";
    chmod(program.c_str(), 0700);
    CompanionSpec spec;
    spec.name = "the companion";
    spec.find_program = [this](CompanionSpec::Found done) {
      loop.Post([this, done = std::move(done)]() mutable {
        if (!found.ok()) return done(found);
        done(program);
      });
    };
    spec.args = {"--more", "words"};
    spec.env = {"PATH=/usr/bin:/bin", "DIR=" + dir.path()};
    spec.log_path = dir / "log";
    spec.files = {dir / "file"};
    spec.backoff = {std::chrono::milliseconds(1), std::chrono::milliseconds(20)};
    companion = std::make_unique<Companion>(loop, std::move(spec));
  }
  void AwaitReady() {
    REQUIRE(loop.RunUntil([this] { return companion->ready(); }));
  }
};

}  // namespace

TEST_CASE("a companion is ready when it says so, and its line is its state") {
  Fixture f("echo $$ $@ > $DIR/args; echo said; echo http://x >&3; exec sleep 60");
  REQUIRE(f.companion->state() == "not started");
  f.companion->Start();
  REQUIRE(f.companion->state() == "starting");
  f.AwaitReady();
  REQUIRE(f.companion->state() == "http://x");
  REQUIRE(Read(f.dir / "args") == fmt::format("{} --parent-pid {} --ready-fd 3 --more words\n",
                                              f.companion->pid(), getpid()));
  REQUIRE(Read(f.dir / "log") == "said\n");
  struct stat info {};
  REQUIRE(stat((f.dir / "log").c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0600);
}

TEST_CASE("a companion that is killed comes back as another process") {
  Fixture f("echo $$ >&3; exec sleep 60");
  f.companion->Start();
  f.AwaitReady();
  const pid_t first = f.companion->pid();
  std::ofstream(f.dir / "file") << "of the first";
  std::ofstream(f.dir / "file.Xy1234") << "half of another";
  kill(first, SIGKILL);
  REQUIRE(f.loop.RunUntil([&] { return !f.companion->ready(); }));
  REQUIRE(f.companion->state().find("the companion ended with signal 9") == 0);
  REQUIRE_FALSE(std::filesystem::exists(f.dir / "file"));
  REQUIRE_FALSE(std::filesystem::exists(f.dir / "file.Xy1234"));
  f.AwaitReady();
  REQUIRE(f.companion->pid() != first);
}

TEST_CASE("one that ends again and again is tried again and again") {
  Fixture f(
      "echo x >> $DIR/starts; test $(wc -l < $DIR/starts) -gt 4 || exit 1; echo up >&3; exec sleep "
      "60");
  f.companion->Start();
  f.AwaitReady();
  REQUIRE(Read(f.dir / "starts") == "x\nx\nx\nx\nx\n");
}

TEST_CASE("a program that may not be started is told, and tried again") {
  Fixture f("echo up >&3; exec sleep 60");
  f.found = DataLoss("it is not signed");
  f.companion->Start();
  REQUIRE(f.loop.RunUntil(
      [&] { return f.companion->state().find("it is not signed") != std::string::npos; }));
  REQUIRE(f.companion->pid() == 0);
  f.found = OkStatus();
  f.AwaitReady();
}

TEST_CASE("a companion that talks without end is ended") {
  Fixture f(
      "test -e $DIR/once && { echo up >&3; exec sleep 60; }; touch $DIR/once; exec cat /dev/zero "
      ">&3");
  f.companion->Start();
  f.AwaitReady();
  REQUIRE(f.companion->state() == "up");
}

TEST_CASE("a stopped companion ends, also one that does not want to, and stays away") {
  const std::string trap = GENERATE("", "trap '' TERM; ");
  Fixture f(trap + "echo up >&3; while :; do sleep 0.01; done");
  f.companion->Start();
  f.AwaitReady();
  f.companion->Stop();
  REQUIRE(f.companion->state() == "stopped");
  REQUIRE(f.loop.RunUntil([&] { return f.companion->pid() == 0; }));
  f.companion->Start();
  f.loop.RunReady();
  REQUIRE(f.companion->pid() == 0);
}

TEST_CASE("what a killed service has left is removed before the next start") {
  Fixture f(
      "word=fresh; test -e $DIR/file && word=stale; : > $DIR/file; echo $word >&3; exec sleep 60");
  std::ofstream(f.dir / "file") << "of long ago";
  f.companion->Start();
  f.AwaitReady();
  REQUIRE(f.companion->state() == "fresh");
  f.companion = nullptr;
  REQUIRE_FALSE(std::filesystem::exists(f.dir / "file"));
}

}  // namespace capsem::service
