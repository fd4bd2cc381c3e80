#include "app.h"

#include "base/clock.h"
#include "base/small_file.h"
#include "wire/run_dir.h"

namespace capsem::gateway {
namespace {

RunDir DirsOf(const Config& config) {
  RunDir dirs;
  dirs.runtime = config.run_dir;
  return dirs;
}

HttpResponse Health() {
  HttpResponse response;
  response.body = R"({"ok":true,"version":")" CAPSEM_VERSION "\"}\n";
  return response;
}

}  // namespace

StatusOr<std::unique_ptr<App>> App::Create(Loop& loop, const Config& config) {
  const RunDir dirs = DirsOf(config);
  Token token = TRY(Token::Generate());
  const std::string secret = token.text();
  std::unique_ptr<App> app(new App(loop, config, std::move(token)));
  HttpHandler handler;
  handler.on_head = [self = app.get()](const HttpRequest& request) {
    return self->OnHead(request);
  };
  handler.on_request = [self = app.get()](const HttpRequest& request, HttpHandler::Reply reply) {
    return self->OnRequest(request, std::move(reply));
  };
  app->server_ = TRY(HttpServer::Listen(loop, config.port, std::move(handler)));
  // The port last: whoever finds it can read the token that belongs to it.
  TRY(WriteSmallFile(dirs.GatewayToken(), secret + "\n"));
  TRY(WriteSmallFile(dirs.GatewayPort(), fmt::format("{}\n", app->server_->port())));
  return app;
}

App::App(Loop& loop, const Config& config, Token token)
    : door_(std::move(token)), forward_(loop, DirsOf(config).ServiceSocket()) {}

std::string App::url() const { return fmt::format("http://127.0.0.1:{}", server_->port()); }

std::optional<HttpResponse> App::OnHead(const HttpRequest& request) {
  auto verdict = door_.Judge(request, server_->port(), Clock::Now());
  if (auto* response = std::get_if<HttpResponse>(&verdict)) return std::move(*response);
  if (std::get<Match>(verdict).route->kind != RouteKind::kHealth) return std::nullopt;
  HttpResponse response = Health();
  response.headers = CorsHeaders(request);
  return response;
}

HttpHandler::Work App::OnRequest(const HttpRequest& request, HttpHandler::Reply reply) {
  // The door has looked at it already.
  const Match match = std::get<Match>(FindRoute(request));
  return forward_.Ask(
      match, request,
      [cors = CorsHeaders(request), reply = std::move(reply)](HttpResponse response) mutable {
        for (HttpHeader& header : cors) response.headers.push_back(std::move(header));
        reply(std::move(response));
      });
}

}  // namespace capsem::gateway
