#include "http/http_response.h"

#include "base/testing/status_matchers.h"

namespace capsem::gateway {

TEST_CASE("a response says how long it is and that nobody shall keep it") {
  HttpResponse response;
  response.status = 404;
  response.body = "{}";
  response.headers = {{"Vary", "Origin"}};
  response.close = true;
  REQUIRE(PrintResponse(response) ==
          "HTTP/1.1 404 Not Found\r\nVary: Origin\r\nContent-Type: application/json\r\n"
          "Content-Length: 2\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
          "Connection: close\r\n\r\n{}");
  REQUIRE(PrintResponse({.status = 204}) == "HTTP/1.1 204 No Content\r\n\r\n");
  REQUIRE(PrintResponse({.status = 100}) == "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_CASE("an error is JSON whatever is in its sentence") {
  REQUIRE(ErrorResponse(400, "a \"b\"\r\n\xff").body == R"({"error":"a \"b\"\u000d\n\ufffd"})"
                                                        "\n");
  REQUIRE(ErrorResponse(404, "no", "see `x`").body ==
          "{\"error\":\"no\",\"remedy\":\"see `x`\"}\n");
}

}  // namespace capsem::gateway
