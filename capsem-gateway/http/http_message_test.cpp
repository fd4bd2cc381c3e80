#include "http/http_message.h"

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {
namespace {

using namespace std::string_literals;
using Event = RequestParser::Event;

constexpr size_t kSmallBody = 32;
const std::string kHost = "Host: 127.0.0.1:1\r\n";

std::string Get(const std::string& headers) {
  return "GET / HTTP/1.1\r\n" + kHost + headers + "\r\n";
}
std::string Post(const std::string& headers, const std::string& body) {
  return "POST /x HTTP/1.1\r\n" + kHost + headers + "\r\n" + body;
}

struct Parsed {
  std::vector<HttpRequest> requests;
  HttpRefusal refusal;  // status 0 = none
  bool idle = false;
};

// All requests in these bytes, when they come in pieces of this size.
Parsed Parse(std::string_view bytes, size_t piece, size_t max_body = kSmallBody) {
  RequestParser parser(max_body);
  Parsed parsed;
  while (!bytes.empty()) {
    std::string_view rest = bytes.substr(0, piece);
    bytes.remove_prefix(rest.size());
    Event event = Event::kMore;
    do {
      event = parser.Feed(rest);
      if (event == Event::kRequest) parsed.requests.push_back(parser.Take());
      if (event == Event::kRefused) {
        parsed.refusal = parser.refusal();
        return parsed;
      }
    } while (event != Event::kMore || !rest.empty());
  }
  parsed.idle = parser.idle();
  return parsed;
}

HttpRequest One(const std::string& bytes) {
  const Parsed whole = Parse(bytes, bytes.size());
  INFO(bytes << "\n" << whole.refusal.why);
  REQUIRE(whole.refusal.status == 0);
  REQUIRE(whole.requests.size() == 1);
  REQUIRE(whole.idle);
  return whole.requests[0];
}

}  // namespace

TEST_CASE("a request is its method, target, headers and body") {
  const HttpRequest request =
      One("POST /exec/box?x=1 HTTP/1.1\r\nHOST:\t localhost:1 \r\nX-Empty:\r\nx-a: b c\r\n"
          "Content-Length: 5\r\n\r\nhello");
  REQUIRE(request.method == "POST");
  REQUIRE(request.target == "/exec/box?x=1");
  REQUIRE(request.path() == "/exec/box");
  REQUIRE(request.body == "hello");
  REQUIRE(request.headers.size() == 4);
  REQUIRE(*request.Find("host") == "localhost:1 ");
  REQUIRE(request.Find("x-empty")->empty());
  REQUIRE(*request.Find("x-a") == "b c");
  REQUIRE(request.Find("x-b") == nullptr);
  REQUIRE(request.keep_alive);
  REQUIRE_FALSE(request.expects_continue);
}

TEST_CASE("a body is as long as its length or its chunks say") {
  struct Case {
    std::string bytes;
    std::string body;
  };
  const std::vector<Case> cases = {
      {Get(""), ""},
      {Post("Content-Length: 0\r\n", ""), ""},
      {Post("Content-Length: 00003\r\n", "abc"), "abc"},
      {Post("Content-Length: 3  \r\n", "a\n\r"), "a\n\r"},
      {Post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), ""},
      {Post("transfer-encoding: CHUNKED\r\n", "3\r\nabc\r\n2\r\n\r\n\r\n0\r\n\r\n"), "abc\r\n"},
      {Post("Transfer-Encoding: chunked \r\n", "0a\r\n0123456789\r\n0\r\n\r\n"), "0123456789"},
      {Post("Content-Length: 32\r\n", std::string(32, 'x')), std::string(32, 'x')},
      {Post("Transfer-Encoding: chunked\r\n", "10\r\n" + std::string(16, 'x') + "\r\n10\r\n" +
                                                  std::string(16, 'y') + "\r\n0\r\n\r\n"),
       std::string(16, 'x') + std::string(16, 'y')},
  };
  for (const Case& c : cases) REQUIRE(One(c.bytes).body == c.body);
}

TEST_CASE("requests that come together are told apart") {
  const std::string bytes = Post("Content-Length: 3\r\n", "abc") + Get("") +
                            Post("Transfer-Encoding: chunked\r\n", "1\r\nz\r\n0\r\n\r\n") + Get("");
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Parsed parsed = Parse(bytes, piece);
    INFO("in pieces of " << piece << ": " << parsed.refusal.why);
    REQUIRE(parsed.refusal.status == 0);
    REQUIRE(parsed.requests.size() == 4);
    REQUIRE(parsed.requests[0].body == "abc");
    REQUIRE(parsed.requests[1].method == "GET");
    REQUIRE(parsed.requests[2].body == "z");
  }
}

// What two readers may understand differently (findings: the batteries against five libraries), and
// what is no HTTP for us. Each in one piece, byte by byte, and never a request.
TEST_CASE("nothing that could be smuggled is understood") {
  struct Case {
    const char* what;
    std::string bytes;
    int status = 400;
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::vector<Case> cases = {
      // Two lengths.
      {"CL and TE", Post("Content-Length: 5\r\n" + chunked, "0\r\n\r\n")},
      {"TE and CL", Post(chunked + "Content-Length: 5\r\n", "0\r\n\r\n")},
      {"two CLs", Post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")},
      {"the same CL twice", Post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
      {"a list of CLs", Post("Content-Length: 5, 5\r\n", "hello")},
      {"CL -1", Post("Content-Length: -1\r\n", "")},
      {"CL +4", Post("Content-Length: +4\r\n", "four")},
      {"CL 4x", Post("Content-Length: 4x\r\n", "four")},
      {"CL 0x4", Post("Content-Length: 0x4\r\n", "four")},
      {"CL 4 4", Post("Content-Length: 4 4\r\n", "four")},
      {"empty CL", Post("Content-Length:\r\n", "")},
      {"CL beyond 64 bits", Post("Content-Length: 18446744073709551617\r\n", "a")},
      // Transfer-Encoding.
      {"TE xchunked", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
      {"TE chunked, identity", Post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")},
      {"TE identity", Post("Transfer-Encoding: identity\r\n", "")},
      {"TE gzip, chunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
      {"TE chunked, chunked", Post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")},
      {"TE twice", Post(chunked + chunked, "0\r\n\r\n")},
      {"TE quoted", Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n")},
      {"TE with a tab inside", Post("Transfer-Encoding: chun\tked\r\n", "0\r\n\r\n")},
      {"empty TE", Post("Transfer-Encoding:\r\n", "0\r\n\r\n")},
      {"TE in 1.0", "POST / HTTP/1.0\r\n" + kHost + chunked + "\r\n0\r\n\r\n"},
      // Chunks.
      {"chunk size 0x5", Post(chunked, "0x5\r\nhello\r\n0\r\n\r\n")},
      {"chunk size +5", Post(chunked, "+5\r\nhello\r\n0\r\n\r\n")},
      {"chunk size -5", Post(chunked, "-5\r\nhello\r\n0\r\n\r\n")},
      {"a space before the chunk size", Post(chunked, " 5\r\nhello\r\n0\r\n\r\n")},
      {"a space after the chunk size", Post(chunked, "5 \r\nhello\r\n0\r\n\r\n")},
      {"an empty chunk size", Post(chunked, "\r\nhello\r\n0\r\n\r\n")},
      {"a chunk size line with a bare LF", Post(chunked, "5\nhello\r\n0\r\n\r\n")},
      {"a chunk that ends with a bare LF", Post(chunked, "5\r\nhello\n0\r\n\r\n")},
      {"a chunk that ends with a bare CR", Post(chunked, "5\r\nhello\r0\r\n\r\n")},
      {"a chunk longer than it says", Post(chunked, "4\r\nhello\r\n0\r\n\r\n")},
      {"a last chunk with a bare LF", Post(chunked, "0\n\r\n")},
      {"a last line with a bare LF", Post(chunked, "0\r\n\n")},
      {"a chunk extension", Post(chunked, "5;a=b\r\nhello\r\n0\r\n\r\n")},
      {"an extension with a bare LF", Post(chunked, "5;\nhello\r\n0\r\n\r\n")},
      {"a last line with a bare CR", Post(chunked, "0\r\n\r\r\n")},
      {"trailers", Post(chunked, "0\r\nContent-Length: 5\r\n\r\n")},
      {"chunk size beyond 64 bits", Post(chunked, "10000000000000005\r\nhello\r\n0\r\n\r\n")},
      // Line ends and bytes.
      {"bare LF lines", "GET / HTTP/1.1\nHost: a\n\n"},
      {"a bare LF in the headers", Get("X: 1\nContent-Length: 5\r\n")},
      {"CVE-2023-30589", Get("Dummy: x\rContent-Length: 23\r\n")},
      {"CVE-2023-30589, empty value", Get("Dummy:\rContent-Length: 23\r\n")},
      {"CR only", "GET / HTTP/1.1\rHost: a\r\r"},
      {"obs-fold", Get("X: a\r\n b\r\n")},
      {"obs-fold of TE", Post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
      {"a space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"NUL in a value", Get("X: a\0b\r\n"s)},
      {"NUL in a name", Get("X\0: a\r\n"s)},
      {"a vertical tab in a value", Get("X: \vchunked\r\n")},
      {"a byte above 127", Get("X: \xff\r\n")},
      {"an empty line first", "\r\n" + Get("")},
      // Names.
      {"a space before the colon", Post("Content-Length : 5\r\n", "hello")},
      {"a tab before the colon", Post("Content-Length\t: 5\r\n", "hello")},
      {"no colon", Get("Host2\r\n")},
      {"no name", Get(": a\r\n")},
      {"a name in brackets", Get("[X]: a\r\n")},
      // The request line.
      {"two spaces", "GET  / HTTP/1.1\r\n" + kHost + "\r\n"},
      {"a space behind", "GET / HTTP/1.1 \r\n" + kHost + "\r\n"},
      {"a tab", "GET\t/ HTTP/1.1\r\n" + kHost + "\r\n"},
      {"HTTP/0.9", "GET /\r\n\r\n"},
      {"a third word", "GET / x HTTP/1.1\r\n" + kHost + "\r\n"},
      {"lower-case version", "GET / http/1.1\r\n" + kHost + "\r\n"},
      {"a version with more digits", "GET / HTTP/1.10\r\n" + kHost + "\r\n"},
      {"HTTP/2.0", "GET / HTTP/2.0\r\n" + kHost + "\r\n", 505},
      {"HTTP/1.2", "GET / HTTP/1.2\r\n" + kHost + "\r\n", 505},
      {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"lower-case method", "get / HTTP/1.1\r\n" + kHost + "\r\n"},
      {"an unknown method", "GETS / HTTP/1.1\r\n" + kHost + "\r\n"},
      {"no method", " / HTTP/1.1\r\n" + kHost + "\r\n"},
      {"absolute form", "GET http://127.0.0.1:1/ HTTP/1.1\r\n" + kHost + "\r\n"},
      {"absolute form to another host", "GET http://x/ HTTP/1.1\r\n" + kHost + "\r\n"},
      {"CONNECT", "CONNECT x:443 HTTP/1.1\r\n" + kHost + "\r\n"},
      {"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + kHost + "\r\n"},
      {"a fragment", "GET /#a HTTP/1.1\r\n" + kHost + "\r\n"},
      // Who, and what else.
      {"no Host", "GET / HTTP/1.1\r\n\r\n"},
      {"no Host in 1.0", "GET / HTTP/1.0\r\n\r\n"},
      {"two Hosts", Get(kHost)},
      {"two Authorizations", Get("Authorization: a\r\nAuthorization: b\r\n")},
      {"two Origins", Get("Origin: a\r\nOrigin: b\r\n")},
      {"an upgrade", Get("Connection: upgrade\r\nUpgrade: websocket\r\n")},
      {"h2c", Get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n")},
      {"Expect something", Get("Expect: 200-ok\r\n"), 417},
      // Sizes.
      {"CL one too many", Post("Content-Length: 33\r\n", ""), 413},
      {"chunk one too many", Post(chunked, "21\r\n"), 413},
      {"chunks too many", Post(chunked, "20\r\n" + std::string(32, 'x') + "\r\n1\r\n"), 413},
      {"a chunk of 2^63", Post(chunked, "8000000000000000\r\n"), 413},
      {"a long target", "GET /" + std::string(kMaxTarget, 'a') + " HTTP/1.1\r\n", 414},
      {"a long head", Get("X: " + std::string(kMaxHead, 'a') + "\r\n"), 431},
  };
  for (const Case& c : cases) {
    for (const size_t piece : {c.bytes.size(), size_t{1}, size_t{7}}) {
      // A head that is too long to be refused for its target must still end.
      const std::string bytes = c.status == 414 ? c.bytes + kHost + "\r\n" : c.bytes;
      const Parsed parsed = Parse(bytes, piece);
      INFO(c.what << " in pieces of " << piece << ": " << parsed.refusal.why);
      REQUIRE(parsed.refusal.status == c.status);
      REQUIRE(parsed.requests.empty());
      REQUIRE_FALSE(parsed.refusal.why.empty());
    }
  }
}

TEST_CASE("a hundred headers are taken, and not one more") {
  std::string headers;
  for (size_t i = 1; i < kMaxHeaders; ++i) headers += fmt::format("X{}: y\r\n", i);
  REQUIRE(One(Get(headers)).headers.size() == kMaxHeaders);
  const std::string more = Get(headers + "Z: z\r\n");
  REQUIRE(Parse(more, more.size()).refusal.status == 431);
}

TEST_CASE("who wants no further request says so") {
  struct Case {
    std::string bytes;
    bool keep_alive;
  };
  const std::vector<Case> cases = {
      {Get(""), true},
      {Get("Connection: keep-alive\r\n"), true},
      {Get("Connection: close\r\n"), false},
      {Get("Connection: x, CLOSE \r\n"), false},
      {Get("Connection: closed\r\n"), true},
      {"GET / HTTP/1.0\r\n" + kHost + "\r\n", false},
      {"GET / HTTP/1.0\r\n" + kHost + "Connection: keep-alive\r\n\r\n", false},
  };
  for (const Case& c : cases) {
    INFO(c.bytes);
    REQUIRE(One(c.bytes).keep_alive == c.keep_alive);
  }
}

TEST_CASE("the head is told before the body, so that a refusal need not read it") {
  RequestParser parser(kSmallBody);
  const std::string bytes = Post("Content-Length: 3\r\nExpect: 100-Continue\r\n", "abc") + "GET";
  std::string_view rest = bytes;
  REQUIRE(parser.idle());
  REQUIRE(parser.Feed(rest) == Event::kHead);
  REQUIRE(rest == "abcGET");
  REQUIRE_FALSE(parser.idle());
  REQUIRE(parser.request().target == "/x");
  REQUIRE(parser.request().expects_continue);
  REQUIRE(parser.Feed(rest) == Event::kRequest);
  REQUIRE(rest == "GET");
  REQUIRE(parser.Take().body == "abc");
  REQUIRE(parser.idle());
}

TEST_CASE("a request without a body is due at once") {
  RequestParser parser;
  const std::string bytes = Get("");
  std::string_view rest = bytes;
  REQUIRE(parser.Feed(rest) == Event::kHead);
  REQUIRE(rest.empty());
  REQUIRE(parser.Feed(rest) == Event::kRequest);
}

TEST_CASE("once refused is refused for good") {
  RequestParser parser;
  std::string_view bad = "\n";
  REQUIRE(parser.Feed(bad) == Event::kRefused);
  const std::string good = Get("");
  std::string_view rest = good;
  REQUIRE(parser.Feed(rest) == Event::kRefused);
}

}  // namespace capsem::gateway
