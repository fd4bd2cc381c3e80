// The one TCP socket of ours: 127.0.0.1, and a bounded number of connections. Owned by app; loop
// thread.
//
// Whoever is on this machine may connect, and say nothing. When all places are taken, the oldest
// connection that has not shown the token gives way to a new one, then the oldest that is idle;
// those at work stay.
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
  // Port 0: any free one. AlreadyExists: somebody else listens there.
  static StatusOr<std::unique_ptr<HttpServer>> Listen(Loop& loop, uint16_t port,
                                                      HttpHandler handler,
                                                      const HttpLimits& limits = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const { return port_; }
  size_t connections() const { return connections_.size(); }

 private:
  HttpServer(Loop& loop, UniqueFd listener, uint16_t port, HttpHandler handler,
             const HttpLimits& limits);
  void Accept();
  void MakeRoom();
  void Admit(UniqueFd connection);

  Loop& loop_;
  const UniqueFd listener_;
  const uint16_t port_;
  const HttpHandler handler_;
  const HttpLimits limits_;
  std::list<std::unique_ptr<HttpConnection>> connections_;
  Timer out_of_fds_;
  FdWatch watch_;  // after listener_: destroyed first
  WeakOwner<HttpServer> weak_{this};
};

}  // namespace capsem::gateway
