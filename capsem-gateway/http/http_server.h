// The one TCP socket of ours: 127.0.0.1, and a bounded number of connections. Owned by app; loop
// thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "base/weak.h"
#include "http/http_connection.h"

namespace capsem::gateway {

class HttpServer {
 public:
  // Each may hold a head, and a body or an answer of 10 MiB: the rest waits in the kernel's queue.
  static constexpr size_t kMaxConnections = 128;

  // Port 0: any free one. AlreadyExists: somebody else listens there.
  static StatusOr<std::unique_ptr<HttpServer>> Listen(Loop& loop, uint16_t port,
                                                      HttpHandler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const { return port_; }
  size_t connections() const { return connections_.size(); }

 private:
  HttpServer(Loop& loop, UniqueFd listener, uint16_t port, HttpHandler handler);
  void Accept();
  void Admit(UniqueFd connection);

  Loop& loop_;
  const UniqueFd listener_;
  const uint16_t port_;
  const HttpHandler handler_;
  std::list<std::unique_ptr<HttpConnection>> connections_;
  Timer out_of_fds_;
  FdWatch watch_;  // after listener_: destroyed first
  WeakOwner<HttpServer> weak_{this};
};

}  // namespace capsem::gateway
