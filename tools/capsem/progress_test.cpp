#include "progress.h"

#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/unique_fd.h"

namespace capsem::cli {
namespace {

// What a person sees of it.
std::string Shown(Progress::Shown shown) {
  int master = -1, slave = -1;
  REQUIRE(openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  const UniqueFd read_end(master), terminal(slave);
  fcntl(master, F_SETFL, O_NONBLOCK);
  {
    Progress progress(shown, slave);
    progress.Begin("a\x1b[2Jname", 2048);
    progress.Add(1024);
    REQUIRE(progress.total() == 1024);
  }
  char seen[512];
  const ssize_t count = read(master, seen, sizeof seen);
  return {seen, static_cast<size_t>(std::max<ssize_t>(count, 0))};
}

}  // namespace

TEST_CASE("a person sees how far it has come, and nothing of it at the end") {
  const std::string seen = Shown(Progress::Shown::kIfTerminal);
  CHECK(seen.find("1.0 KiB of 2.0 KiB") != std::string::npos);
  CHECK(seen.find("\x1b[2J") == std::string::npos);
  CHECK(seen.ends_with("\r\x1b[K"));
  CHECK(Shown(Progress::Shown::kNever).empty());
}

TEST_CASE("what is no terminal hears nothing") {
  int fds[2];
  REQUIRE(pipe2(fds, O_NONBLOCK) == 0);
  const UniqueFd read_end(fds[0]), write_end(fds[1]);
  {
    Progress progress(Progress::Shown::kIfTerminal, fds[1]);
    progress.Begin("name", 1);
    progress.Add(1);
  }
  char byte;
  CHECK(read(fds[0], &byte, 1) == -1);
}

}  // namespace capsem::cli
