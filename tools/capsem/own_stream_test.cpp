#include "own_stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "base/testing/temp_dir.h"

namespace capsem::cli {
namespace {

bool IsBlocking(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

}  // namespace

TEST_CASE("a pipe is read without waiting while its sharers still wait") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  const OwnStream stream(read_end.get(), O_RDONLY);
  CHECK(stream.pollable());
  CHECK_FALSE(IsBlocking(stream.fd()));
  CHECK(IsBlocking(read_end.get()));
  REQUIRE(write(write_end.get(), "x", 1) == 1);
  char byte = 0;
  CHECK(read(stream.fd(), &byte, 1) == 1);
  CHECK(byte == 'x');
}

TEST_CASE("a socket gets its waiting back at the end") {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  {
    const OwnStream stream(ours.get(), O_WRONLY);
    CHECK(stream.pollable());
    CHECK_FALSE(IsBlocking(ours.get()));
  }
  CHECK(IsBlocking(ours.get()));
}

TEST_CASE("a file goes on where its sharers are, and cannot be polled") {
  const TempDir dir;
  const UniqueFd file(open((dir / "out").c_str(), O_RDWR | O_CREAT, 0600));
  REQUIRE(write(file.get(), "ab", 2) == 2);
  const OwnStream stream(file.get(), O_WRONLY);
  CHECK_FALSE(stream.pollable());
  REQUIRE(write(stream.fd(), "cd", 2) == 2);
  CHECK(lseek(file.get(), 0, SEEK_CUR) == 4);
}

TEST_CASE("/dev/null cannot be polled, and a closed stream is none") {
  const UniqueFd null(open("/dev/null", O_RDONLY));
  CHECK_FALSE(OwnStream(null.get(), O_RDONLY).pollable());
  const OwnStream closed(1023, O_RDONLY);
  CHECK(closed.fd() < 0);
}

}  // namespace capsem::cli
