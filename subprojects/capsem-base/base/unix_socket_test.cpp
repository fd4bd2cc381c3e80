#include "base/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem {
namespace {

TEST_CASE("a socket is born at 0600, whatever the umask says") {
  const mode_t mask = GENERATE(0000, 0022, 0077);
  const TempDir dir;
  const mode_t before = umask(mask);
  const auto listener = ListenUnix(dir / "s.sock");
  umask(before);
  REQUIRE_OK(listener);
  struct stat found {};
  REQUIRE(stat((dir / "s.sock").c_str(), &found) == 0);
  REQUIRE(S_ISSOCK(found.st_mode));
  REQUIRE((found.st_mode & 07777) == 0600);
}

TEST_CASE("both ends are non-blocking, close on exec, and know each other") {
  const TempDir dir;
  const UniqueFd listener = VALUE_OF(ListenUnix(dir / "s.sock"));
  const UniqueFd client = VALUE_OF(ConnectUnix(dir / "s.sock"));
  const UniqueFd server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(server.valid());
  for (const int fd : {listener.get(), client.get()}) {
    REQUIRE((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    REQUIRE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  const PeerCredentials peer = VALUE_OF(PeerOf(server.get()));
  REQUIRE(peer.pid == getpid());
  REQUIRE(peer.uid == geteuid());
  REQUIRE(write(client.get(), "x", 1) == 1);
  char byte = 0;
  REQUIRE(read(server.get(), &byte, 1) == 1);
}

TEST_CASE("the longest path that fits works, one byte more is refused with a word") {
  const TempDir dir;
  const std::string longest =
      dir.path() + "/" + std::string(kMaxSocketPath - dir.path().size() - 1, 's');
  REQUIRE(longest.size() == kMaxSocketPath);
  const UniqueFd listener = VALUE_OF(ListenUnix(longest));
  REQUIRE_OK(ConnectUnix(longest));
  for (const Status& status :
       {ListenUnix(longest + "s").status(), ConnectUnix(longest + "s").status(),
        CheckSocketPath(longest + "s")}) {
    REQUIRE_CODE(status, kInvalidArgument);
    REQUIRE(Message(status).find("108 bytes") != std::string::npos);
    REQUIRE(Remedy(status).find("CAPSEM_HOME") != std::string::npos);
  }
}

TEST_CASE("a path that would mean another socket is refused") {
  const std::string path =
      GENERATE(std::string(), std::string("\0abstract", 9), std::string("/tmp/a\0b", 8));
  REQUIRE_CODE(ListenUnix(path), kInvalidArgument);
  REQUIRE_CODE(ConnectUnix(path), kInvalidArgument);
}

TEST_CASE("failures name the path and who must act") {
  const TempDir dir;
  const std::string path = dir / "s.sock";
  const auto check = [&](const Status& status, StatusCode code) {
    INFO(Describe(status));
    REQUIRE(status.code() == code);
    REQUIRE(Message(status).find(path) != std::string::npos);
  };
  check(ConnectUnix(path).status(), StatusCode::kNotFound);
  UniqueFd listener = VALUE_OF(ListenUnix(path));
  check(ListenUnix(path).status(), StatusCode::kAlreadyExists);
  listener.Reset();
  check(ConnectUnix(path).status(), StatusCode::kUnavailable);
}

TEST_CASE("a descriptor that is no socket has no peer") {
  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE_FALSE(PeerOf(file.get()).ok());
}

}  // namespace
}  // namespace capsem
