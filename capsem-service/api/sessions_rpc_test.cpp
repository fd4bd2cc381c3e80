#include "api/sessions_rpc.h"

#include "rpc/client_call.h"
#include "rpc/client_stream.h"
#include "testing/one_machine.h"

namespace capsem::service {
namespace {

using Api = capsem::v1::Sessions;
using Async = Api::StubInterface::async_interface;
using capsem::v1::SessionEvent;
using Watch = rpc::ClientReader<capsem::v1::WatchSessionsRequest, SessionEvent>;

struct Fixture {
  OneMachine host;
  Naming naming{host.loop, host.table};
  SessionsRpc service{host.loop, host.table, *host.sessions, naming};
  rpc::TestServer server{host.loop, {&service}};
  std::unique_ptr<Api::Stub> stub = Api::NewStub(rpc::ConnectChannel(server.path()));

  template <typename Request, typename Response>
  StatusOr<Response> Call(void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                std::function<void(grpc::Status)>),
                          const Request& request) {
    std::optional<StatusOr<Response>> answer;
    rpc::CallUnary(host.loop, stub->async(), method, request, {},
                   [&](StatusOr<Response> got) { answer = std::move(got); });
    REQUIRE(host.loop.RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }
};

capsem::v1::GetSessionRequest Named(const std::string& session) {
  capsem::v1::GetSessionRequest request;
  request.set_session(session);
  return request;
}

}  // namespace

TEST_CASE("sessions are created, seen, stopped and deleted by their calls") {
  Fixture f;
  capsem::v1::CreateSessionRequest create;
  create.set_name("box");
  const auto session = VALUE_OF(f.Call(&Async::Create, create));
  REQUIRE(session.state() == capsem::v1::SESSION_STATE_CREATING);
  REQUIRE(VALUE_OF(f.Call(&Async::Get, Named("box"))).id() == session.id());
  REQUIRE(VALUE_OF(f.Call(&Async::List, capsem::v1::ListSessionsRequest())).sessions_size() == 1);

  f.host.process.on_stop = [&](uint32_t grace_ms) {
    REQUIRE(grace_ms == 10000);
    kill(f.host.Slot("box").process->pid(), SIGTERM);
  };
  capsem::v1::StopSessionRequest stop;
  stop.set_session("box");
  REQUIRE_OK(f.Call(&Async::Stop, stop));
  REQUIRE_CODE(f.Call(&Async::Stop, stop), kFailedPrecondition);
  stop.set_grace_ms(300001);
  REQUIRE_CODE(f.Call(&Async::Stop, stop), kInvalidArgument);

  capsem::v1::DeleteSessionRequest remove;
  remove.set_session("box");
  REQUIRE_OK(f.Call(&Async::Delete, remove));
  REQUIRE_CODE(f.Call(&Async::Get, Named("box")), kNotFound);
}

TEST_CASE("a watch tells the present, that it is all, and then each change") {
  Fixture f;
  const std::string id = f.host.Run("box");
  std::vector<std::string> heard;
  auto watch = Watch::Start(
      f.host.loop, f.stub->async(), &Async::Watch, {}, {},
      {.on_message =
           [&](const SessionEvent& event) {
             heard.push_back(SessionEvent::Kind_Name(event.kind()) + " " + event.session().name());
           },
       .on_ready = [] {},
       .on_closed = [](const Status&) {}});
  REQUIRE(f.host.loop.RunUntil([&] { return heard.size() == 2; }));
  REQUIRE_OK(f.host.Delete(id));
  REQUIRE(f.host.loop.RunUntil([&] { return heard.back() == "KIND_DELETED box"; }));
  REQUIRE(heard[0] == "KIND_PRESENT box");
  REQUIRE(heard[1] == "KIND_SYNCED ");
  REQUIRE(heard[2] == "KIND_CHANGED box");
  watch = nullptr;
  f.host.loop.RunReady();
}

}  // namespace capsem::service
