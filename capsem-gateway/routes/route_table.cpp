#include "routes/route_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "wire/ids.h"

namespace capsem::gateway {
namespace {

constexpr std::string_view kHole = "{session}";

constexpr Route kRoutes[] = {
    {"GET", "/", RouteKind::kHealth, false, ""},
    {"GET", "/health", RouteKind::kHealth, false, ""},
    {"GET", "/list", RouteKind::kUnary, true, "capsem.v1.Sessions.List"},
    {"GET", "/info/{session}", RouteKind::kUnary, true, "capsem.v1.Sessions.Get"},
    {"POST", "/exec/{session}", RouteKind::kExec, true, "capsem.v1.Execs.Exec"},
};

// What the path has in the hole; "" for a route without one; nullopt: the path is another's.
std::optional<std::string_view> Fit(const Route& route, std::string_view path) {
  if (!route.path.ends_with(kHole)) {
    return path == route.path ? std::optional<std::string_view>("") : std::nullopt;
  }
  const std::string_view prefix = route.path.substr(0, route.path.size() - kHole.size());
  if (!path.starts_with(prefix)) return std::nullopt;
  return path.substr(prefix.size());
}

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

std::variant<Match, HttpResponse> FindRoute(const HttpRequest& request) {
  std::string allowed;
  for (const Route& route : kRoutes) {
    const auto session = Fit(route, request.path());
    if (!session) continue;
    // Nothing is decoded: no id and no name has a percent sign.
    if (route.path.ends_with(kHole) && !SessionName::Parse(*session).ok()) {
      return ErrorResponse(400, "the path has neither an id nor a name of a session",
                           "names are [A-Za-z0-9][A-Za-z0-9_-]{0,63}; GET /list shows them");
    }
    if (route.method == request.method) return Match{&route, std::string(*session)};
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", route.method);
  }
  if (allowed.empty()) return ErrorResponse(404, "there is no such path");
  HttpResponse response = ErrorResponse(405, fmt::format("{} is not done here", request.method),
                                        fmt::format("use {}", allowed));
  response.headers.push_back({"Allow", allowed});
  return response;
}

}  // namespace capsem::gateway
