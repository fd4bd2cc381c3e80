// Requests of HTTP/1.1, from a client's bytes. Pure; fuzzed.
//
// Strict: what two readers could understand differently is refused (docs/decisions/0008), for a
// gateway that reads a request otherwise than whoever sits in front of it lets the second one
// smuggle. llhttp does the grammar; a scan before it refuses what its version 8.1.0 lets through (a
// CR that no LF follows, CVE-2023-30589) and what it is kind to; after it, Host, framing and target
// are checked once more by what was parsed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace capsem::gateway {

// A request line and headers; browsers send about 1 KiB, and nobody sends us cookies.
inline constexpr size_t kMaxHead = 16 * 1024;
inline constexpr size_t kMaxHeaders = 100;
inline constexpr size_t kMaxTarget = 4096;
// The reference's limit: exactly so much is taken.
inline constexpr size_t kMaxBody = 10 * 1024 * 1024;

struct HttpHeader {
  std::string name;   // of a request: lower case
  std::string value;  // without the spaces before it; those after it are kept
};

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // "/…", printable ASCII, as sent
  std::vector<HttpHeader> headers;
  std::string body;
  bool keep_alive = true;         // the client would send another request
  bool expects_continue = false;  // it waits for "100 Continue" before it sends the body

  // nullptr: there is none. Of several the first; those that decide anything come once.
  const std::string* Find(std::string_view name) const;
  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
};

// Why bytes are no request for us.
struct HttpRefusal {
  int status = 0;
  std::string why;
};

class RequestParser {
 public:
  enum class Event {
    kMore,     // all bytes are taken
    kHead,     // once per request: all but the body is known
    kRequest,  // the body, too: Take it
    kRefused,  // for good
  };

  explicit RequestParser(size_t max_body = kMaxBody);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Takes bytes from the front of `bytes`, up to the next event. Also with none: an event may be
  // due.
  Event Feed(std::string_view& bytes);
  // From kHead on.
  const HttpRequest& request() const;
  // After kRequest; the parser is then at the start of the next one.
  HttpRequest Take();
  const HttpRefusal& refusal() const;
  // Nothing of a request has come yet.
  bool idle() const;

 private:
  class Machine;
  const size_t max_body_;
  std::unique_ptr<Machine> machine_;
};

}  // namespace capsem::gateway
