// Builds the gateway once, in order. The only place of it that knows all.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "base/status.h"
#include "config.h"
#include "http/http_server.h"
#include "routes/door.h"
#include "routes/forward.h"

namespace capsem::gateway {

class App {
 public:
  // Listens, with its token and its port written, when it returns. The caller holds the guard.
  static StatusOr<std::unique_ptr<App>> Create(Loop& loop, const Config& config);
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  std::string url() const;

 private:
  App(Loop& loop, const Config& config, Token token);
  std::optional<HttpResponse> OnHead(const HttpRequest& request);
  HttpHandler::Work OnRequest(const HttpRequest& request, HttpHandler::Reply reply);

  Door door_;
  Forward forward_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace capsem::gateway
