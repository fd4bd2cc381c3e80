#include "http/http_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"
#include "base/timer.h"

namespace capsem::gateway {
namespace {

// A server that refuses /early at its head, and answers everything else when it is told to.
struct Fixture {
  TestLoop loop;
  std::vector<HttpRequest> requests;
  std::vector<HttpHandler::Reply> replies;
  int dropped = 0;
  std::unique_ptr<HttpServer> server;

  explicit Fixture(HttpLimits limits = {}) {
    HttpHandler handler;
    handler.on_head = [](const HttpRequest& request) {
      return request.path() == "/early" ? std::optional(ErrorResponse(401, "no")) : std::nullopt;
    };
    handler.on_request = [this](HttpRequest request, HttpHandler::Reply reply) {
      requests.push_back(std::move(request));
      replies.push_back(std::move(reply));
      return HttpHandler::Work(nullptr, [this](void*) { ++dropped; });
    };
    server = VALUE_OF(HttpServer::Listen(loop, 0, std::move(handler), limits));
  }
  void AwaitRequests(size_t count) {
    REQUIRE(loop.RunUntil([&] { return requests.size() >= count; }));
  }
};

struct Client {
  explicit Client(Fixture& f) : fixture(f) {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(f.server->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    stream.emplace(f.loop, std::move(fd),
                   ByteStream::Events{.on_bytes = [this](std::string_view b) { got += b; },
                                      .on_drained = [] {},
                                      .on_end = [this](const Status&) { ended = true; }});
  }
  void Get(const std::string& target) {
    stream->Write("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  void Await(const std::string& text) {
    INFO(got);
    REQUIRE(fixture.loop.RunUntil([&] { return got.find(text) != std::string::npos; }));
  }
  void AwaitEnd() {
    REQUIRE(fixture.loop.RunUntil([&] { return ended; }));
  }

  Fixture& fixture;
  std::string got;
  bool ended = false;
  std::optional<ByteStream> stream;
};

}  // namespace

TEST_CASE("requests of one connection are answered one after the other") {
  Fixture f;
  Client client(f);
  client.Get("/a");
  client.Get("/b");
  f.AwaitRequests(1);
  f.loop.RunReady();
  REQUIRE(f.requests.size() == 1);
  f.replies[0]({.status = 200, .body = "[1]"});
  client.Await("[1]");
  f.AwaitRequests(2);
  REQUIRE(f.requests[1].target == "/b");
  REQUIRE(f.dropped == 1);
  f.replies[1]({.status = 404, .body = "[2]"});
  client.Await("HTTP/1.1 404 ");
  client.Await("[2]");
  REQUIRE_FALSE(client.ended);
}

TEST_CASE("an early answer without a body keeps the connection, with one it does not") {
  Fixture f;
  Client client(f);
  client.Get("/early");
  client.Await("HTTP/1.1 401 ");
  client.got.clear();
  client.stream->Write(
      "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
  client.Await("HTTP/1.1 401 ");
  client.AwaitEnd();
  REQUIRE(client.got.find("100 Continue") == std::string::npos);
  REQUIRE(client.got.find("Connection: close") != std::string::npos);
  REQUIRE(f.requests.empty());
}

TEST_CASE("a body that is waited for is asked for") {
  Fixture f;
  Client client(f);
  client.stream->Write(
      "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  client.Await("HTTP/1.1 100 Continue\r\n\r\n");
  client.stream->Write("abc");
  f.AwaitRequests(1);
  REQUIRE(f.requests[0].body == "abc");
}

TEST_CASE("what is no request is told so, and nothing after it is heard") {
  Fixture f;
  Client client(f);
  client.stream->Write("GET / HTTP/1.1\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
  client.Await("HTTP/1.1 400 ");
  client.AwaitEnd();
  client.Get("/more");
  f.loop.RunReady();
  REQUIRE(f.requests.empty());
}

TEST_CASE("a client that leaves takes the work for it along") {
  Fixture f;
  {
    Client client(f);
    client.Get("/a");
    f.AwaitRequests(1);
  }
  REQUIRE(f.loop.RunUntil([&] { return f.dropped == 1; }));
  f.replies[0]({.status = 200});
  REQUIRE(f.loop.RunUntil([&] { return f.server->connections() == 0; }));
}

TEST_CASE("who asks for the end gets it after the answer") {
  Fixture f;
  Client client(f);
  client.stream->Write("GET /a HTTP/1.0\r\nHost: x\r\n\r\n");
  f.AwaitRequests(1);
  f.replies[0]({.status = 200, .body = std::string(4 << 20, 'x')});
  client.AwaitEnd();
  REQUIRE(client.got.ends_with("xx"));
  REQUIRE(client.got.size() > (4 << 20));
}

TEST_CASE("whoever has shown no token gives way to the next client, the oldest first") {
  Fixture f({.connections = 3});
  Client admitted(f);
  admitted.Get("/a");
  f.AwaitRequests(1);
  f.replies[0]({.status = 200});
  Client silent(f);
  // Half a head, and a request that was refused, are no token either.
  Client half(f);
  half.stream->Write("GET / HTTP/1.1\r\n");
  REQUIRE(f.loop.RunUntil([&] { return f.server->connections() == 3; }));
  Client late(f);
  late.Get("/late");
  f.AwaitRequests(2);
  REQUIRE(f.requests[1].target == "/late");
  silent.AwaitEnd();
  Client refused(f);
  refused.Get("/early");
  half.AwaitEnd();
  refused.Await("HTTP/1.1 401 ");
  Client last(f);
  refused.AwaitEnd();
  REQUIRE_FALSE(admitted.ended);
  REQUIRE_FALSE(late.ended);
  REQUIRE_FALSE(last.ended);
}

TEST_CASE("any number of silent connections keeps nobody out") {
  Fixture f({.connections = 4});
  std::vector<std::unique_ptr<Client>> silent;
  for (size_t i = 0; i < 40; ++i) silent.push_back(std::make_unique<Client>(f));
  Client late(f);
  late.Get("/late");
  for (size_t i = 0; i < 40; ++i) silent.push_back(std::make_unique<Client>(f));
  f.AwaitRequests(1);
  f.loop.RunReady();
  f.replies[0]({.status = 200, .body = "[1]"});
  late.Await("[1]");
  REQUIRE(f.server->connections() <= 4);
}

TEST_CASE("where all places are at work the next client waits for one of them") {
  Fixture f({.connections = 2});
  Client one(f);
  Client other(f);
  one.Get("/1");
  f.AwaitRequests(1);
  other.Get("/2");
  f.AwaitRequests(2);
  Client late(f);
  late.Get("/late");
  f.loop.RunReady();
  REQUIRE(f.requests.size() == 2);
  REQUIRE_FALSE(one.ended);
  f.replies[0]({.status = 200, .body = "[1]"});
  f.AwaitRequests(3);
  REQUIRE(one.got.find("[1]") != std::string::npos);
  REQUIRE(one.ended);
  REQUIRE_FALSE(other.ended);
}

TEST_CASE("a head that comes byte by byte is ended, however long it goes on") {
  Fixture f({.head = std::chrono::milliseconds(100)});
  Client client(f);
  const bool second = GENERATE(false, true);  // also behind another request, in one piece with it
  client.stream->Write(second ? "GET /early HTTP/1.1\r\nHost: x\r\n\r\nG" : "G");
  Timer drip(f.loop);
  drip.StartRepeating(std::chrono::milliseconds(5), [&] { client.stream->Write("E"); });
  client.Await("HTTP/1.1 408 ");
  drip.Cancel();
  client.AwaitEnd();
}

TEST_CASE("a body that comes byte by byte is ended, however long it goes on") {
  Fixture f({.body = std::chrono::milliseconds(100)});
  Client client(f);
  client.stream->Write("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  Timer drip(f.loop);
  drip.StartRepeating(std::chrono::milliseconds(5), [&] { client.stream->Write("x"); });
  client.Await("HTTP/1.1 408 ");
  drip.Cancel();
  client.AwaitEnd();
  REQUIRE(f.requests.empty());
}

TEST_CASE("a connection on which nothing happens is closed, also between two requests") {
  Fixture f({.idle = std::chrono::milliseconds(50)});
  Client client(f);
  client.AwaitEnd();
  REQUIRE(client.got.empty());
  Client asked(f);
  asked.Get("/a");
  f.AwaitRequests(1);
  f.replies[0]({.status = 200, .body = "[1]"});
  asked.AwaitEnd();
  REQUIRE(asked.got.ends_with("[1]"));
}

TEST_CASE("a command may take longer than any client may") {
  Fixture f({.idle = std::chrono::milliseconds(20),
             .head = std::chrono::milliseconds(20),
             .body = std::chrono::milliseconds(20)});
  Client client(f);
  client.Get("/a");
  f.AwaitRequests(1);
  bool later = false;
  Timer wait(f.loop);
  wait.Start(std::chrono::milliseconds(100), [&] { later = true; });
  REQUIRE(f.loop.RunUntil([&] { return later; }));
  f.replies[0]({.status = 200, .body = "[1]"});
  client.Await("[1]");
}

TEST_CASE("whoever does not take the answer, or does not leave after it, is closed") {
  Fixture f({.idle = std::chrono::milliseconds(50), .farewell = std::chrono::milliseconds(50)});
  Client client(f);
  const size_t size = GENERATE(1, 8 << 20);
  client.stream->PauseReading(true);
  client.stream->Write("GET /a HTTP/1.0\r\nHost: x\r\n\r\n");
  f.AwaitRequests(1);
  f.replies[0]({.status = 200, .body = std::string(size, 'x')});
  REQUIRE(f.loop.RunUntil([&] { return f.server->connections() == 0; }));
}

TEST_CASE("a port that is taken is an error, and free again at once when its server ends") {
  Fixture f;
  const uint16_t port = f.server->port();
  REQUIRE_CODE(HttpServer::Listen(f.loop, port, {}), kAlreadyExists);
  {
    // Its connection ends on our side first: the port is then in TIME_WAIT.
    Client client(f);
    client.stream->Write("\n");
    client.Await("400");
  }
  f.server = nullptr;
  REQUIRE(VALUE_OF(HttpServer::Listen(f.loop, port, {}))->port() == port);
}

}  // namespace capsem::gateway
