#include "rpc/on_loop.h"

#include <functional>
#include <optional>
#include <thread>

#include "capsem/v1/sessions.grpc.pb.h"
#include "rpc/client_call.h"
#include "rpc/testing/test_server.h"

namespace capsem::rpc {
namespace {

using v1::GetSessionRequest;
using v1::Session;
using v1::Sessions;
using Async = Sessions::StubInterface::async_interface;

// `Get` does what the test says.
class GetServer final : public Sessions::WithRawCallbackMethod_Get<Sessions::Service> {
 public:
  explicit GetServer(Loop& loop) : loop_(loop) {}
  std::function<void(const GetSessionRequest&, Reply<Session>)> on_get;

 private:
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                grpc::ByteBuffer* out) override {
    return OnLoop<GetSessionRequest, Session>(
        loop_, in, out, [this](const GetSessionRequest& request, Reply<Session> reply) {
          loop_.AssertOwned();
          on_get(request, std::move(reply));
        });
  }
  Loop& loop_;
};

struct Fixture {
  TestLoop loop;
  GetServer service{loop};
  TestServer server{loop, {&service}};
  std::unique_ptr<Sessions::Stub> stub = Sessions::NewStub(ConnectChannel(server.path()));

  StatusOr<Session> Get(const std::string& name, CallOptions options = {}) {
    GetSessionRequest request;
    request.set_session(name);
    std::optional<StatusOr<Session>> answer;
    CallUnary(loop, stub->async(), &Async::Get, request, options,
              [&](StatusOr<Session> got) { answer = std::move(got); });
    REQUIRE(!answer);
    REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }
};

}  // namespace

TEST_CASE("a unary call is answered from the loop") {
  Fixture f;
  f.service.on_get = [](const GetSessionRequest& request, Reply<Session> reply) {
    Session session;
    session.set_id(request.session() + "!");
    reply(session);
  };
  REQUIRE(VALUE_OF(f.Get("box")).id() == "box!");
}

TEST_CASE("a reply may be answered long after its handler has returned") {
  Fixture f;
  std::optional<Reply<Session>> kept;
  Timer later(f.loop);
  f.service.on_get = [&](const GetSessionRequest&, Reply<Session> reply) {
    kept.emplace(std::move(reply));
    later.Start(std::chrono::milliseconds(1), [&] { (*kept)(Session()); });
  };
  REQUIRE_OK(f.Get("box"));
}

TEST_CASE("an error reaches the caller with its code, cause and remedy") {
  Fixture f;
  f.service.on_get = [](const GetSessionRequest& request, Reply<Session> reply) {
    reply(WithRemedy(NotFound("no session called {}", request.session()), "see `capsem list`"));
  };
  const StatusOr<Session> answer = f.Get("box");
  REQUIRE_CODE(answer, kNotFound);
  REQUIRE(Message(answer.status()) == "no session called box");
  REQUIRE(Remedy(answer.status()) == "see `capsem list`");
}

TEST_CASE("a reply that is dropped says INTERNAL") {
  Fixture f;
  f.service.on_get = [](const GetSessionRequest&, Reply<Session>) {};
  REQUIRE_CODE(f.Get("box"), kInternal);
}

TEST_CASE("text that is not UTF-8 is an InvalidArgument with a remedy and no handler runs") {
  Fixture f;
  f.service.on_get = [](const GetSessionRequest&, Reply<Session> reply) { reply(Session()); };
  const StatusOr<Session> answer = f.Get("caf\xe9");
  REQUIRE_CODE(answer, kInvalidArgument);
  REQUIRE(Message(answer.status()).find("GetSessionRequest") != std::string_view::npos);
  REQUIRE(Remedy(answer.status()).find("UTF-8") != std::string::npos);
}

TEST_CASE("a deadline ends the call, and the late answer goes nowhere") {
  Fixture f;
  std::optional<Reply<Session>> kept;
  f.service.on_get = [&](const GetSessionRequest&, Reply<Session> reply) {
    kept.emplace(std::move(reply));
  };
  REQUIRE_CODE(f.Get("box", {std::chrono::milliseconds(20)}), kDeadlineExceeded);
  REQUIRE(f.loop.RunUntil([&] { return kept.has_value(); }));
  (*kept)(Session());
}

TEST_CASE("a call can be cancelled by its handle") {
  Fixture f;
  std::optional<Reply<Session>> kept;
  CallHandle handle;
  f.service.on_get = [&](const GetSessionRequest&, Reply<Session> reply) {
    kept.emplace(std::move(reply));
    handle.Cancel();
  };
  std::optional<StatusOr<Session>> answer;
  handle = CallUnary(f.loop, f.stub->async(), &Async::Get, {}, {},
                     [&](StatusOr<Session> got) { answer = std::move(got); });
  REQUIRE(f.loop.RunUntil([&] { return answer.has_value(); }));
  REQUIRE_CODE(*answer, kCancelled);
}

TEST_CASE("a server that shuts down ends calls that nobody answers") {
  Fixture f;
  std::optional<Reply<Session>> kept;
  f.service.on_get = [&](const GetSessionRequest&, Reply<Session> reply) {
    kept.emplace(std::move(reply));
  };
  std::optional<StatusOr<Session>> answer;
  CallUnary(f.loop, f.stub->async(), &Async::Get, {}, {},
            [&](StatusOr<Session> got) { answer = std::move(got); });
  REQUIRE(f.loop.RunUntil([&] { return kept.has_value(); }));
  f.server.Stop();
  REQUIRE(f.loop.RunUntil([&] { return answer.has_value(); }));
  REQUIRE(!answer->ok());
  (*kept)(Session());
}

}  // namespace capsem::rpc
