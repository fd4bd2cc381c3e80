#include "machine/serial_ring.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Fixture {
  explicit Fixture(size_t file_bytes = 1000, size_t burst = 100'000) {
    auto ends = VALUE_OF(SocketPair());
    guest = std::move(ends.second);
    ring = VALUE_OF(SerialRing::Create(
        loop, std::move(ends.first),
        {.path = path, .file_bytes = file_bytes, .burst_bytes = burst, .bytes_per_second = 0}));
  }
  // What the guest prints is in the ring when this returns.
  void Print(std::string_view text) {
    REQUIRE(send(guest.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
    ring->Drain();
  }

  TestLoop loop;
  TempDir dir;
  std::string path = dir / "serial.log";
  UniqueFd guest;
  std::unique_ptr<SerialRing> ring;
};

}  // namespace

TEST_CASE("the console goes into a file that only its owner can read") {
  Fixture f;
  REQUIRE(send(f.guest.get(), "hello\r\n", 7, MSG_NOSIGNAL) == 7);
  REQUIRE(f.loop.RunUntil([&] { return ContentOf(f.path) == "hello\r\n"; }));
  struct stat info {};
  REQUIRE(stat(f.path.c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0600);
  REQUIRE(f.ring->tail().LastLines(1) == "hello");
}

TEST_CASE("what comes byte by byte is all there, whether it waits for more or not") {
  Fixture f;
  std::string sent;
  for (const char byte : std::string("console")) {
    REQUIRE(send(f.guest.get(), &byte, 1, MSG_NOSIGNAL) == 1);
    sent.push_back(byte);
    f.loop.RunReady();
  }
  REQUIRE(f.loop.RunUntil([&] { return ContentOf(f.path) == sent; }));
}

TEST_CASE("the ring keeps the newest bytes in two bounded files") {
  Fixture f(10);
  f.Print("0123456789abcdefghijKLMNO");
  REQUIRE(ContentOf(f.path) == "KLMNO");
  REQUIRE(ContentOf(f.path + ".1") == "abcdefghij");
  REQUIRE(f.ring->dropped_bytes() == 0);
  struct stat info {};
  REQUIRE(stat((f.path + ".1").c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0600);
}

TEST_CASE("a console that goes on fills what the file still holds first") {
  Fixture f(10);
  f.Print("0123456");
  auto ends = VALUE_OF(SocketPair());
  f.guest = std::move(ends.second);
  f.ring = VALUE_OF(
      SerialRing::Create(f.loop, std::move(ends.first), {.path = f.path, .file_bytes = 10}));
  f.Print("789ab");
  REQUIRE(ContentOf(f.path + ".1") == "0123456789");
  REQUIRE(ContentOf(f.path) == "ab");
}

TEST_CASE("what is over the budget is dropped, counted, and still seen in the tail") {
  Fixture f(100'000, 5);
  f.Print("12345678");
  f.Print("the end");
  REQUIRE(ContentOf(f.path) == "12345");
  REQUIRE(f.ring->dropped_bytes() == 10);
  REQUIRE(f.ring->tail().LastLines(1) == "12345678the end");
  f.guest.Reset();
  f.ring->Drain();
  REQUIRE(ContentOf(f.path) == "12345\n[capsem: 10 bytes of the console were dropped here]\n");
}

TEST_CASE("a flood never stops the guest") {
  Fixture f(4096, 4096);
  const std::string chunk(32 * 1024, 'x');
  for (int i = 0; i < 100; ++i) f.Print(chunk);
  REQUIRE(f.ring->dropped_bytes() == 100 * chunk.size() - 4096);
}

TEST_CASE("a disk that takes nothing more is no reason to stop") {
  Fixture f(10);
  std::filesystem::remove_all(f.dir.path());
  f.Print("0123456789abc");
  f.Print("d");
  REQUIRE(f.ring->dropped_bytes() == 4);
  REQUIRE(f.ring->tail().LastLines(1) == "0123456789abcd");
}

TEST_CASE("a link in the place of the log is refused") {
  TestLoop loop;
  TempDir dir;
  std::filesystem::create_symlink(dir / "elsewhere", dir / "serial.log");
  auto ends = VALUE_OF(SocketPair());
  REQUIRE_FALSE(SerialRing::Create(loop, std::move(ends.first), {.path = dir / "serial.log"}).ok());
  REQUIRE_FALSE(std::filesystem::exists(dir / "elsewhere"));
}

}  // namespace capsem::process
