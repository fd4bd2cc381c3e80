#include "http/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
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
                                                         HttpHandler handler,
                                                         const HttpLimits& limits) {
  UniqueFd listener = TRY(Bind(port));
  const uint16_t bound = TRY(PortOf(listener.get()));
  return std::unique_ptr<HttpServer>(
      new HttpServer(loop, std::move(listener), bound, std::move(handler), limits));
}

HttpServer::HttpServer(Loop& loop, UniqueFd listener, uint16_t port, HttpHandler handler,
                       const HttpLimits& limits)
    : loop_(loop),
      listener_(std::move(listener)),
      port_(port),
      handler_(std::move(handler)),
      limits_(limits),
      out_of_fds_(loop),
      watch_(loop, listener_.get(), [this](int) { Accept(); }) {
  watch_.Want(FdWatch::kReadable);
}

void HttpServer::Accept() {
  if (connections_.size() == limits_.connections) return MakeRoom();
  while (connections_.size() < limits_.connections) {
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
}

void HttpServer::MakeRoom() {
  // Until that one is gone, or one of those at work has become idle. One at a time: what a newcomer
  // sends is read before others can have taken all places.
  watch_.Want(0);
  const auto stranger = [](const auto& one) { return !one->closed() && !one->admitted(); };
  const auto idle = [](const auto& one) { return one->idle(); };
  auto found = std::ranges::find_if(connections_, stranger);
  if (found == connections_.end()) found = std::ranges::find_if(connections_, idle);
  if (found != connections_.end()) (*found)->Close();
}

void HttpServer::Admit(UniqueFd connection) {
  // An answer is one write: nothing is gained by waiting for more.
  const int yes = 1;
  setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const auto place = connections_.emplace(connections_.end());
  HttpConnection::Events events;
  events.on_idle = [this] { watch_.Want(FdWatch::kReadable); };
  events.on_closed = [this, place] {
    loop_.Post([self = weak_.Get(), place] {
      if (!self) return;
      self->connections_.erase(place);
      self->watch_.Want(FdWatch::kReadable);
    });
  };
  *place = std::make_unique<HttpConnection>(loop_, std::move(connection), handler_, limits_,
                                            std::move(events));
}

}  // namespace capsem::gateway
