#include "service_starter.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/unix_socket.h"

namespace capsem::cli {
namespace {

// A capsem-service in shell: leaves marks in $CAPSEM_HOME and does as `script` says.
struct Fixture {
  explicit Fixture(const std::string& script) {
    const std::string program = installation.Service();
    std::ofstream(program)
        << "#!/bin/sh\ncd \"$CAPSEM_HOME\" || exit 9\necho started >> starts\nenv > env\n"
        << script << '\n';
    REQUIRE(chmod(program.c_str(), 0755) == 0);
    setenv("CAPSEM_HOME", (home / "h").c_str(), 1);
    dir = VALUE_OF(RunDir::FromEnvironment());
  }
  ~Fixture() { unsetenv("CAPSEM_HOME"); }
  std::string Read(const std::string& name) const {
    std::ifstream file(dir.state + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TempDir home;
  Installation installation{home.path()};
  RunDir dir;
};

}  // namespace

TEST_CASE("the word on the pipe is the readiness") {
  setenv("A_SECRET_OF_THE_CALLER", "hush", 1);
  Fixture test("echo some log >&2; echo listening >&3");
  REQUIRE_OK(StartService(test.dir, test.installation));
  CHECK(test.Read("starts") == "started\n");
  CHECK(test.Read("service.log") == "some log\n");
  CHECK(test.Read("env").find("CAPSEM_HOME=") != std::string::npos);
  CHECK(test.Read("env").find("A_SECRET_OF_THE_CALLER") == std::string::npos);
  unsetenv("A_SECRET_OF_THE_CALLER");
}

TEST_CASE("a service that ends at its start is told with its code and its log") {
  Fixture test("exit 3");
  const Status status = StartService(test.dir, test.installation);
  REQUIRE_CODE(status, kUnavailable);
  CHECK(Message(status).find("exit code 3") != std::string_view::npos);
  CHECK(Remedy(status).find(test.dir.ServiceLog()) != std::string::npos);
}

TEST_CASE("a service that says why it cannot start is quoted") {
  Fixture test("echo before >&2; echo 'capsem-service: the disk is full' >&2; exit 1");
  const Status status = StartService(test.dir, test.installation);
  CHECK(Message(status) ==
        "capsem-service ended at its start with exit code 1: capsem-service: the disk is full");
}

TEST_CASE("a service that says why on the pipe is told by its cause and its remedy") {
  Fixture test("printf 'failed\\nthe disk is full\\nfree some\\n' >&3; exit 5");
  const Status status = StartService(test.dir, test.installation);
  REQUIRE_CODE(status, kUnavailable);
  CHECK(Message(status) == "capsem-service cannot start: the disk is full");
  CHECK(Remedy(status) == "free some; its log is " + test.dir.ServiceLog());
}

TEST_CASE("a program that is not there is named") {
  Fixture test("");
  REQUIRE(unlink(test.installation.Service().c_str()) == 0);
  const Status status = StartService(test.dir, test.installation);
  REQUIRE_CODE(status, kNotFound);
  CHECK(Message(status).find(test.installation.Service()) != std::string_view::npos);
}

TEST_CASE("a service that runs is not started again") {
  Fixture test("echo listening >&3");
  REQUIRE_OK(test.dir.Make());
  const UniqueFd listener = VALUE_OF(ListenUnix(test.dir.ServiceSocket()));
  REQUIRE_OK(StartService(test.dir, test.installation));
  CHECK(test.Read("starts").empty());
  CHECK(ServiceRuns(test.dir));
}

TEST_CASE("a second starter waits for the first, and finds its service") {
  Fixture test("echo listening >&3");
  REQUIRE_OK(test.dir.Make());
  // The first holds the turn; its service comes up while the second waits.
  const std::string path = test.dir.runtime + "/service.start";
  std::ofstream(path) << "";
  UniqueFd turn(open(path.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(flock(turn.get(), LOCK_EX) == 0);
  Status second;
  std::thread starter([&] { second = StartService(test.dir, test.installation); });
  const UniqueFd listener = VALUE_OF(ListenUnix(test.dir.ServiceSocket()));
  turn.Reset();
  starter.join();
  REQUIRE_OK(second);
  CHECK(test.Read("starts").empty());
}

TEST_CASE("the variables for the service are a list") {
  const char* all[] = {"HOME=/root",
                       "PATH=/bin",
                       "CAPSEM_LOG=debug",
                       "LANG=C",
                       "LC_ALL=C",
                       "SECRET=1",
                       "HOMEX=1",
                       "XDG_RUNTIME_DIR=/run/user/0",
                       "LD_PRELOAD=x",
                       "PATH_TO=x",
                       nullptr};
  CHECK(ServiceEnvironment(const_cast<char* const*>(all)) ==
        std::vector<std::string>{"HOME=/root", "PATH=/bin", "CAPSEM_LOG=debug", "LANG=C",
                                 "LC_ALL=C", "XDG_RUNTIME_DIR=/run/user/0"});
}

TEST_CASE("without a service there is no end to wait for") {
  Fixture test("");
  ServiceEnd(test.dir).Await();
}

TEST_CASE("the end of a service is the end of its process, not of its work") {
  Fixture test("");
  REQUIRE_OK(test.dir.Make());
  int told[2], ending[2];
  REQUIRE(pipe(told) == 0);
  REQUIRE(pipe(ending) == 0);
  const pid_t service = fork();
  if (service == 0) {
    // Its work is done, the lock is free; it is still there until it is let go.
    const auto listener = ListenUnix(test.dir.ServiceSocket());
    char byte = 0;
    if (write(told[1], &byte, 1) != 1 || read(ending[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  char byte = 0;
  REQUIRE(read(told[0], &byte, 1) == 1);
  ServiceEnd end(test.dir);
  REQUIRE(write(ending[1], &byte, 1) == 1);
  end.Await();
  int status = 0;
  CHECK(waitpid(service, &status, WNOHANG) == service);
}

}  // namespace capsem::cli
