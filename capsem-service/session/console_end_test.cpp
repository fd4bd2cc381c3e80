#include "session/console_end.h"

#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::service {
namespace {

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("no console, no end") {
  TempDir dir;
  REQUIRE(ConsoleEnd(dir.path()).empty());
}

TEST_CASE("the end goes on from one file into the next") {
  TempDir dir;
  Write(dir / "serial.log.1", "old\n");
  Write(dir / "serial.log", "new\r\n");
  REQUIRE(ConsoleEnd(dir.path()) == "old\nnew\n");
}

TEST_CASE("it is bounded, and the newest of it") {
  TempDir dir;
  Write(dir / "serial.log.1", std::string(5000, 'a'));
  Write(dir / "serial.log", std::string(4000, 'b'));
  REQUIRE(ConsoleEnd(dir.path()) == std::string(96, 'a') + std::string(4000, 'b'));
  Write(dir / "serial.log", std::string(5000, 'b'));
  REQUIRE(ConsoleEnd(dir.path()) == std::string(4096, 'b'));
}

TEST_CASE("what a terminal would obey, and what is no UTF-8, is not passed on") {
  TempDir dir;
  Write(dir / "serial.log", std::string("a\x1b[2Jb\xff\0\tc\n", 11));
  REQUIRE(ConsoleEnd(dir.path()) == "a?[2Jb??\tc\n");
}

TEST_CASE("a link is not followed") {
  TempDir dir;
  Write(dir / "secret", "x");
  REQUIRE(symlink((dir / "secret").c_str(), (dir / "serial.log").c_str()) == 0);
  REQUIRE(ConsoleEnd(dir.path()).empty());
}

}  // namespace capsem::service
