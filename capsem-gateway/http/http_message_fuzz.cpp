// Fuzz target (meson -Dfuzz=true): bytes of a client. However they are cut into pieces the same
// requests come out; each is within its bounds, and, printed as it was understood, is understood
// the same again.
#include "http/http_message.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"

using namespace capsem::gateway;

namespace {

constexpr size_t kBody = 4096;

struct Read {
  std::vector<HttpRequest> requests;
  int refused = 0;
};

Read ReadAll(std::string_view bytes, size_t piece) {
  RequestParser parser(kBody);
  Read read;
  while (!bytes.empty() && read.refused == 0) {
    std::string_view rest = bytes.substr(0, piece);
    bytes.remove_prefix(rest.size());
    RequestParser::Event event;
    do {
      event = parser.Feed(rest);
      if (event == RequestParser::Event::kRequest) read.requests.push_back(parser.Take());
      if (event == RequestParser::Event::kRefused) read.refused = parser.refusal().status;
    } while (read.refused == 0 && (event != RequestParser::Event::kMore || !rest.empty()));
  }
  return read;
}

bool Harmless(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
}

void CheckBounds(const HttpRequest& request) {
  ENSURE(request.body.size() <= kBody);
  ENSURE(request.headers.size() <= kMaxHeaders && request.target.size() <= kMaxTarget);
  ENSURE(request.target.starts_with('/') && request.target.find(' ') == std::string::npos);
  ENSURE(Harmless(request.target) && Harmless(request.method));
  ENSURE(std::ranges::count(request.headers, "host", &HttpHeader::name) == 1);
  for (const HttpHeader& header : request.headers) {
    ENSURE(Harmless(header.value) && !header.name.empty());
    ENSURE(header.name.find_first_of(" \t:\r\n") == std::string::npos);
  }
}

// With one framing header, whatever it came with.
std::string Printed(const HttpRequest& request) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  for (const HttpHeader& header : request.headers) {
    if (header.name == "content-length" || header.name == "transfer-encoding") continue;
    text += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  return text + fmt::format("Content-Length: {}\r\n\r\n{}", request.body.size(), request.body);
}

void CheckSame(const HttpRequest& one, const HttpRequest& other) {
  ENSURE(one.method == other.method && one.target == other.target && one.body == other.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const size_t piece = size_t{data[0]} + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Read whole = ReadAll(bytes, std::max<size_t>(bytes.size(), 1));
  const Read pieces = ReadAll(bytes, piece);
  ENSURE(whole.refused == pieces.refused && whole.requests.size() == pieces.requests.size());
  for (size_t i = 0; i < whole.requests.size(); ++i) {
    CheckBounds(whole.requests[i]);
    CheckSame(whole.requests[i], pieces.requests[i]);
    const std::string printed = Printed(whole.requests[i]);
    if (printed.find("\r\n\r\n") >= kMaxHead - 4) continue;
    const Read again = ReadAll(printed, printed.size());
    if (again.refused == 431) continue;  // the framing header that was added is one too many
    ENSURE(again.refused == 0 && again.requests.size() == 1);
    CheckSame(whole.requests[i], again.requests[0]);
  }
  return 0;
}
