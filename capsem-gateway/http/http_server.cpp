#include "http/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/log.h"

namespace capsem::gateway {
namespace {

constexpr int kBacklog = 128;
// Descriptors are missing: until one is closed accept would say so again at once.
constexpr std::chrono::milliseconds kOutOfFds{100};

StatusOr<UniqueFd> Bind(uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FromErrno("make a TCP socket");
  // Connections of the one before us may still be in TIME_WAIT on this port. Linux lets nobody
  // share a port that is listened on by this.
  const int yes = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) return AlreadyExists("somebody else listens on port {}", port);
    return FromErrno("listen on 127.0.0.1, port {}", port);
  }
  return fd;
}

StatusOr<uint16_t> PortOf(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return FromErrno("getsockname");
  }
  return ntohs(address.sin_port);
}

}  // namespace

StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(Loop& loop, uint16_t port,
                                                         HttpHandler handler) {
  UniqueFd listener = TRY(Bind(port));
  const uint16_t bound = TRY(PortOf(listener.get()));
  return std::unique_ptr<HttpServer>(
      new HttpServer(loop, std::move(listener), bound, std::move(handler)));
}

HttpServer::HttpServer(Loop& loop, UniqueFd listener, uint16_t port, HttpHandler handler)
    : loop_(loop),
      listener_(std::move(listener)),
      port_(port),
      handler_(std::move(handler)),
      out_of_fds_(loop),
      watch_(loop, listener_.get(), [this](int) { Accept(); }) {
  watch_.Want(FdWatch::kReadable);
}

void HttpServer::Accept() {
  while (connections_.size() < kMaxConnections) {
    UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection.valid()) {
      Admit(std::move(connection));
      continue;
    }
    if (errno == EAGAIN) return;
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;
    log::Warning("no connection can be taken", {{"reason", FromErrno("accept")}});
    watch_.Want(0);
    out_of_fds_.Start(kOutOfFds, [this] { watch_.Want(FdWatch::kReadable); });
    return;
  }
  watch_.Want(0);
}

void HttpServer::Admit(UniqueFd connection) {
  // An answer is one write: nothing is gained by waiting for more.
  const int yes = 1;
  setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const auto place = connections_.emplace(connections_.end());
  *place = std::make_unique<HttpConnection>(loop_, std::move(connection), handler_, [this, place] {
    loop_.Post([self = weak_.Get(), place] {
      if (!self) return;
      self->connections_.erase(place);
      self->watch_.Want(FdWatch::kReadable);
    });
  });
}

}  // namespace capsem::gateway
