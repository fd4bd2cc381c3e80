// Asks the service what a route stands for. The only place of the gateway that sees gRPC. Owned by
// app; loop thread.
#pragma once

#include <memory>
#include <string>

#include "base/loop.h"
#include "http/http_connection.h"
#include "routes/route_table.h"

namespace capsem::gateway {

class Forward {
 public:
  // Connects at the first call, and again whenever the service has been away.
  Forward(Loop& loop, const std::string& service_socket);
  ~Forward();
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;

  // As HttpHandler::on_request.
  HttpHandler::Work Ask(const Match& match, const HttpRequest& request, HttpHandler::Reply reply);

 private:
  struct Stubs;
  HttpHandler::Work AskUnary(const Match& match, HttpHandler::Reply reply);
  HttpHandler::Work AskExec(const Match& match, const HttpRequest& request,
                            HttpHandler::Reply reply);

  Loop& loop_;
  const std::string socket_;
  std::unique_ptr<Stubs> stubs_;
};

}  // namespace capsem::gateway
