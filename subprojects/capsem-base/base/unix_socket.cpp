#include "base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

namespace capsem {
namespace {

StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  TRY(CheckSocketPath(path));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

StatusOr<UniqueFd> NewSocket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FromErrno("socket");
  return fd;
}

}  // namespace

Status CheckSocketPath(const std::string& path) {
  // An empty name, or one that begins with NUL, would be an abstract socket, open to everybody.
  if (path.empty() || path.find('\0') != std::string::npos) {
    return InvalidArgument("the path of a socket is empty or has a NUL in it");
  }
  if (path.size() <= kMaxSocketPath) return OkStatus();
  return WithRemedy(InvalidArgument("the socket path {} has {} bytes; a socket path holds {}", path,
                                    path.size(), kMaxSocketPath),
                    "use a shorter folder (CAPSEM_HOME or XDG_RUNTIME_DIR)");
}

StatusOr<UniqueFd> ListenUnix(const std::string& path) {
  const sockaddr_un address = TRY(AddressOf(path));
  UniqueFd fd = TRY(NewSocket());
  // fchmod before bind: the socket file is born with the socket inode's mode, so nobody can slip in
  // between.
  if (fchmod(fd.get(), 0600) != 0) return FromErrno("fchmod {}", path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return FromErrno("bind {}", path);
  }
  if (listen(fd.get(), SOMAXCONN) != 0) return FromErrno("listen {}", path);
  return fd;
}

StatusOr<UniqueFd> ConnectUnix(const std::string& path) {
  const sockaddr_un address = TRY(AddressOf(path));
  UniqueFd fd = TRY(NewSocket());
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return FromErrno("connect {}", path);
  }
  return fd;
}

StatusOr<PeerCredentials> PeerOf(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return FromErrno("SO_PEERCRED");
  return PeerCredentials{credentials.pid, credentials.uid};
}

}  // namespace capsem
