#include "notify_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/unique_fd.h"

namespace capsem::service {
namespace {

// A datagram socket of that name, as systemd has one; a leading @ is an abstract name.
UniqueFd Listen(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  return fd;
}

std::string Heard(int fd) {
  char bytes[64];
  const ssize_t count = recv(fd, bytes, sizeof bytes, 0);
  return count < 0 ? std::string() : std::string(bytes, static_cast<size_t>(count));
}

}  // namespace

TEST_CASE("systemd is told on the socket that it names") {
  TempDir dir;
  const std::string name =
      GENERATE(false, true) ? "@capsem-test-" + std::to_string(getpid()) : dir / "notify";
  const UniqueFd systemd = Listen(name);
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  TellSystemd("READY=1");
  REQUIRE(Heard(systemd.get()) == "READY=1");
  unsetenv("NOTIFY_SOCKET");
  TellSystemd("STOPPING=1");
  REQUIRE(Heard(systemd.get()).empty());
}

TEST_CASE("a socket that nobody listens on, or whose name is none, is nobody's trouble") {
  for (const std::string& name :
       {std::string(), std::string("/nowhere/at/all"), std::string(200, 'x')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    TellSystemd("READY=1");
  }
  unsetenv("NOTIFY_SOCKET");
}

}  // namespace capsem::service
