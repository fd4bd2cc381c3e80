#include "routes/route_table.h"

#include <vector>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {
namespace {

std::variant<Match, HttpResponse> Find(const std::string& method, const std::string& target) {
  HttpRequest request;
  request.method = method;
  request.target = target;
  return FindRoute(request);
}

}  // namespace

TEST_CASE("a path leads to its route and says which session it is about") {
  struct Case {
    std::string method, target, rpc, session;
  };
  const std::vector<Case> cases = {
      {"GET", "/", "", ""},
      {"GET", "/health?x", "", ""},
      {"GET", "/list", "capsem.v1.Sessions.List", ""},
      {"GET", "/info/box", "capsem.v1.Sessions.Get", "box"},
      {"GET", "/info/abcdefghij23?a=b", "capsem.v1.Sessions.Get", "abcdefghij23"},
      {"POST", "/exec/A-1_b", "capsem.v1.Execs.Exec", "A-1_b"},
  };
  for (const Case& c : cases) {
    INFO(c.target);
    const auto found = Find(c.method, c.target);
    REQUIRE(std::holds_alternative<Match>(found));
    REQUIRE(std::get<Match>(found).route->rpc == c.rpc);
    REQUIRE(std::get<Match>(found).session == c.session);
  }
}

TEST_CASE("what is not in the table is refused, and ids are looked at") {
  struct Case {
    std::string method, target;
    int status;
  };
  const std::vector<Case> cases = {
      {"GET", "/nothing", 404},     {"GET", "//", 404},
      {"GET", "/list/", 404},       {"GET", "/LIST", 404},
      {"GET", "/health/x", 404},    {"GET", "/info", 404},
      {"GET", "/%6cist", 404},      {"POST", "/list", 405},
      {"HEAD", "/", 405},           {"GET", "/exec/box", 405},
      {"DELETE", "/info/box", 405}, {"GET", "/info/", 400},
      {"GET", "/info/..", 400},     {"GET", "/info/../list", 400},
      {"GET", "/info/%2e%2e", 400}, {"GET", "/info/a/b", 400},
      {"GET", "/info/a.b", 400},    {"GET", "/info/a%00", 400},
      {"GET", "/info/-a", 400},     {"GET", "/info/" + std::string(65, 'a'), 400},
      {"POST", "/exec/a;b", 400},
  };
  for (const Case& c : cases) {
    INFO(c.method << " " << c.target);
    const auto found = Find(c.method, c.target);
    REQUIRE(std::holds_alternative<HttpResponse>(found));
    REQUIRE(std::get<HttpResponse>(found).status == c.status);
  }
  const auto found = Find("POST", "/list");
  REQUIRE(std::get<HttpResponse>(found).headers[0].value == "GET");
}

TEST_CASE("only the two that say that we live are open") {
  for (const Route& route : Routes()) {
    INFO(route.path);
    REQUIRE(route.needs_token == (route.kind != RouteKind::kHealth));
  }
}

}  // namespace capsem::gateway
