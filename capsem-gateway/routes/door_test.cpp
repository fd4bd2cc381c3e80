#include "routes/door.h"

#include <algorithm>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {
namespace {

constexpr uint16_t kPort = 8080;

struct Fixture {
  std::string secret;
  std::unique_ptr<Door> door;
  Clock::TimePoint now = Clock::Now();

  Fixture() {
    Token token = VALUE_OF(Token::Generate());
    secret = token.text();
    door = std::make_unique<Door>(std::move(token));
  }
  // 0 = it came in.
  int Status(const std::string& method, const std::string& target,
             std::vector<HttpHeader> headers = {}) {
    const auto verdict = Judge(method, target, std::move(headers));
    const auto* response = std::get_if<HttpResponse>(&verdict);
    return response == nullptr ? 0 : response->status;
  }
  std::variant<Match, HttpResponse> Judge(const std::string& method, const std::string& target,
                                          std::vector<HttpHeader> headers) {
    HttpRequest request;
    request.method = method;
    request.target = target;
    request.headers = std::move(headers);
    if (request.Find("host") == nullptr) request.headers.push_back({"host", "127.0.0.1:8080"});
    return door->Judge(request, kPort, now);
  }
  HttpHeader Right() const { return {"authorization", "Bearer " + secret}; }
};

}  // namespace

TEST_CASE("without the token only the two open routes are answered") {
  Fixture f;
  REQUIRE(f.Status("GET", "/") == 0);
  REQUIRE(f.Status("GET", "/health") == 0);
  for (const auto& [method, target] :
       std::vector<std::pair<const char*, const char*>>{{"GET", "/list"},
                                                        {"GET", "/info/box"},
                                                        {"POST", "/exec/box"},
                                                        {"POST", "/"},
                                                        {"HEAD", "/health"},
                                                        {"OPTIONS", "/list"},
                                                        {"GET", "/nothing"},
                                                        {"GET", "/info/.."}}) {
    INFO(target);
    REQUIRE(f.Status(method, target) == 401);
    REQUIRE(f.Status(method, target, {{"authorization", "Bearer x"}}) == 401);
  }
}

TEST_CASE("with the token the table decides") {
  Fixture f;
  const HttpHeader json = {"content-type", "application/json"};
  REQUIRE(f.Status("GET", "/list", {f.Right()}) == 0);
  REQUIRE(f.Status("GET", "/nothing", {f.Right()}) == 404);
  REQUIRE(f.Status("POST", "/list", {f.Right()}) == 405);
  REQUIRE(f.Status("GET", "/info/..", {f.Right()}) == 400);
  REQUIRE(f.Status("POST", "/exec/box", {f.Right(), json}) == 0);
  REQUIRE(f.Status("POST", "/exec/box", {f.Right()}) == 415);
  REQUIRE(f.Status("POST", "/exec/box", {f.Right(), {"content-type", "text/plain"}}) == 415);
  REQUIRE(f.Status("POST", "/exec/box",
                   {f.Right(), {"content-type", "Application/JSON; charset=utf-8"}}) == 0);
}

TEST_CASE("after too many failures the right token still passes") {
  Fixture f;
  for (int i = 0; i < Attempts::kLimit; ++i) REQUIRE(f.Status("GET", "/list") == 401);
  REQUIRE(f.Status("GET", "/list") == 429);
  REQUIRE(f.Status("GET", "/list", {{"authorization", "Bearer x"}}) == 429);
  REQUIRE(f.Status("GET", "/list", {f.Right()}) == 0);
  REQUIRE(f.Status("GET", "/health") == 0);
  f.now += Attempts::kWindow;
  REQUIRE(f.Status("GET", "/list") == 401);
}

TEST_CASE(
    "who means somebody else or comes from elsewhere is refused before the token is looked at") {
  Fixture f;
  REQUIRE(f.Status("GET", "/", {{"host", "evil.example:8080"}}) == 421);
  REQUIRE(f.Status("GET", "/list", {{"host", "127.0.0.1:8081"}, f.Right()}) == 421);
  REQUIRE(f.Status("GET", "/list", {{"host", "localhost:8080"}, f.Right()}) == 0);
  REQUIRE(f.Status("GET", "/", {{"origin", "http://localhost.evil.com"}}) == 403);
  REQUIRE(f.Status("GET", "/list", {{"origin", "null"}, f.Right()}) == 403);
  for (int i = 0; i < 100; ++i) f.Status("GET", "/list", {{"origin", "http://evil.com"}});
  REQUIRE(f.Status("GET", "/list") == 401);
}

TEST_CASE("a page of this machine may ask whether it may ask, and read its answers") {
  Fixture f;
  const HttpHeader origin = {"origin", "http://localhost:3000"};
  const auto preflight =
      f.Judge("OPTIONS", "/exec/box", {origin, {"access-control-request-method", "POST"}});
  const auto& response = std::get<HttpResponse>(preflight);
  REQUIRE(response.status == 204);
  const auto allowed =
      std::ranges::find(response.headers, "Access-Control-Allow-Origin", &HttpHeader::name);
  REQUIRE(allowed != response.headers.end());
  REQUIRE(allowed->value == "http://localhost:3000");
  REQUIRE(f.Status("OPTIONS", "/list", {{"access-control-request-method", "GET"}}) == 401);
  HttpRequest request;
  request.headers = {{"origin", "http://evil.com"}};
  REQUIRE(CorsHeaders(request).empty());
}

}  // namespace capsem::gateway
