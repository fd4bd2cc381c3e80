// Responses of HTTP/1.1, and their bytes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/http_message.h"

namespace capsem::gateway {

struct HttpResponse {
  int status = 200;
  std::string body = {};  // JSON
  std::vector<HttpHeader> headers = {};
  bool close = false;  // no further request on this connection
};

// The response's bytes. 204 and 1xx have no body.
std::string PrintResponse(const HttpResponse& response);
// {"error": what happened, "remedy": what helps}, each a sentence; an empty remedy is left out.
HttpResponse ErrorResponse(int status, std::string_view error, std::string_view remedy = "");

}  // namespace capsem::gateway
