#include "http/http_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/log.h"

namespace capsem::gateway {
namespace {

struct Phrase {
  int status;
  const char* text;
};
constexpr Phrase kPhrases[] = {
    {100, "Continue"},
    {200, "OK"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char* PhraseOf(int status) {
  const auto* found = std::ranges::find(kPhrases, status, &Phrase::status);
  return found == std::end(kPhrases) ? "Status" : found->text;
}

}  // namespace

std::string PrintResponse(const HttpResponse& response) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", response.status, PhraseOf(response.status));
  for (const HttpHeader& header : response.headers) {
    text += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  if (response.status != 204 && response.status >= 200) {
    // Nobody but the caller shall keep or guess at what a machine said.
    text += fmt::format(
        "Content-Type: application/json\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n",
        response.body.size());
  }
  if (response.close) text += "Connection: close\r\n";
  return text + "\r\n" + response.body;
}

HttpResponse ErrorResponse(int status, std::string_view error, std::string_view remedy) {
  HttpResponse response;
  response.status = status;
  response.body = fmt::format(R"({{"error":{})", log::JsonQuote(error));
  if (!remedy.empty()) response.body += fmt::format(R"(,"remedy":{})", log::JsonQuote(remedy));
  response.body += "}\n";
  return response;
}

}  // namespace capsem::gateway
