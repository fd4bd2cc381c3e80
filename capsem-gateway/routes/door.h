// Who may come in: looks at the head of each request, in this order: is it us whom the client means
// (Host), may its page ask (Origin), does it bring the token, is there such a route. Owned by app.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "auth/attempts.h"
#include "auth/token.h"
#include "base/clock.h"
#include "http/http_message.h"
#include "http/http_response.h"
#include "routes/route_table.h"

namespace capsem::gateway {

class Door {
 public:
  explicit Door(Token token) : token_(std::move(token)) {}

  // The route, or the answer that ends it here. `port` is ours.
  std::variant<Match, HttpResponse> Judge(const HttpRequest& request, uint16_t port,
                                          Clock::TimePoint now);

 private:
  std::variant<Match, HttpResponse> Enter(const HttpRequest& request, Clock::TimePoint now);

  const Token token_;
  Attempts attempts_;
};

// For a page whose origin is allowed: it may read the answer.
std::vector<HttpHeader> CorsHeaders(const HttpRequest& request);

}  // namespace capsem::gateway
