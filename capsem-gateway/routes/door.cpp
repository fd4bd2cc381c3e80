#include "routes/door.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/origin.h"
#include "base/log.h"

namespace capsem::gateway {
namespace {

// A request of a page that cannot ask for more than a form may (text/plain) is no request of ours.
bool IsJson(const std::string& type) {
  std::string_view value = std::string_view(type).substr(0, type.find(';'));
  value = value.substr(0, value.find_last_not_of(" \t") + 1);
  constexpr std::string_view kJson = "application/json";
  return std::ranges::equal(
      value, kJson, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

HttpResponse Preflight() {
  HttpResponse response;
  response.status = 204;
  response.headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                      {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
                      {"Access-Control-Max-Age", "600"}};
  return response;
}

bool IsOpen(const HttpRequest& request) {
  return std::ranges::any_of(Routes(), [&](const Route& route) {
    return !route.needs_token && route.method == request.method && route.path == request.path();
  });
}

}  // namespace

std::vector<HttpHeader> CorsHeaders(const HttpRequest& request) {
  const std::string* origin = request.Find("origin");
  if (origin == nullptr || !IsLocalOrigin(*origin)) return {};
  return {{"Access-Control-Allow-Origin", *origin}, {"Vary", "Origin"}};
}

std::variant<Match, HttpResponse> Door::Judge(const HttpRequest& request, uint16_t port,
                                              Clock::TimePoint now) {
  // Names are compared as they are written in lower case: browsers send no others.
  if (!IsOurHost(*request.Find("host"), port)) {
    return ErrorResponse(421, "Host names somebody else",
                         fmt::format("use http://127.0.0.1:{}", port));
  }
  const std::string* origin = request.Find("origin");
  if (origin != nullptr && !IsLocalOrigin(*origin)) {
    return ErrorResponse(403, "pages of this origin may not ask");
  }
  auto verdict = Enter(request, now);
  if (auto* response = std::get_if<HttpResponse>(&verdict)) {
    for (HttpHeader& header : CorsHeaders(request)) response->headers.push_back(std::move(header));
  }
  return verdict;
}

std::variant<Match, HttpResponse> Door::Enter(const HttpRequest& request, Clock::TimePoint now) {
  // A browser asks whether it may ask; it cannot show a token then.
  if (request.method == "OPTIONS" && request.Find("origin") != nullptr &&
      request.Find("access-control-request-method") != nullptr) {
    return Preflight();
  }
  const std::string* authorization = request.Find("authorization");
  const bool admitted = authorization != nullptr && token_.Admits(*authorization);
  if (!admitted && !IsOpen(request)) {
    if (attempts_.Fail(now)) {
      HttpResponse response = ErrorResponse(429, "too many requests came without the token",
                                            "wait a minute, or send the token");
      response.headers.push_back({"Retry-After", "60"});
      return response;
    }
    HttpResponse response =
        ErrorResponse(401, "the token is missing or wrong",
                      "send Authorization: Bearer with what is in gateway.token");
    response.headers.push_back({"WWW-Authenticate", "Bearer"});
    return response;
  }
  auto found = FindRoute(request);
  const std::string* type = request.Find("content-type");
  if (std::holds_alternative<Match>(found) && request.method == "POST" &&
      (type == nullptr || !IsJson(*type))) {
    return ErrorResponse(415, "the body must be JSON", "send Content-Type: application/json");
  }
  return found;
}

}  // namespace capsem::gateway
