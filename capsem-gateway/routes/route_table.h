// What can be asked of the gateway: the allowlist, as a table. A verb that answers one message is a
// line here and nothing else. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "http/http_message.h"
#include "http/http_response.h"

namespace capsem::gateway {

enum class RouteKind {
  kHealth,  // answered here
  kUnary,   // one message there, one back, each as proto3 JSON
  kExec,    // a command, its output gathered
};

struct Route {
  std::string_view method;
  std::string_view path;  // {session} stands for one segment: an id or a name
  RouteKind kind;
  bool needs_token;
  std::string_view rpc;  // full name in the .proto files; "" = none
};

std::span<const Route> Routes();

struct Match {
  const Route* route;
  std::string session;  // "" = the path has none
};

// 404: there is no such path. 405: not with this method. 400: what stands for {session} can be
// neither an id nor a name.
std::variant<Match, HttpResponse> FindRoute(const HttpRequest& request);

}  // namespace capsem::gateway
