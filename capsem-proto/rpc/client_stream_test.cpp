#include "rpc/client_stream.h"

#include <optional>

#include "capsem/v1/system.grpc.pb.h"
#include "rpc/server_stream.h"
#include "rpc/testing/test_server.h"

namespace capsem::rpc {
namespace {

using v1::LogChunk;
using v1::LogsRequest;
using v1::System;
using Writer = ServerWriter<LogChunk>;
using Reader = ClientReader<LogsRequest, LogChunk>;
using Async = System::StubInterface::async_interface;

// `Logs` hands its stream to the test.
class LogsServer final : public System::WithRawCallbackMethod_Logs<System::Service> {
 public:
  explicit LogsServer(Loop& loop) : loop_(loop) {}
  std::function<void(const LogsRequest&, std::unique_ptr<Writer>)> on_logs;

 private:
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Logs(grpc::CallbackServerContext*,
                                                   const grpc::ByteBuffer* in) override {
    return Writer::Accept<LogsRequest>(
        loop_, in, [this](const LogsRequest& request, std::unique_ptr<Writer> stream) {
          on_logs(request, std::move(stream));
        });
  }
  Loop& loop_;
};

struct Fixture {
  TestLoop loop;
  LogsServer service{loop};
  TestServer server{loop, {&service}};
  std::unique_ptr<System::Stub> stub = System::NewStub(ConnectChannel(server.path()));
  std::vector<std::string> got;
  std::optional<Status> end;

  std::unique_ptr<Reader> Call(const std::string& session, CallOptions options = {}) {
    LogsRequest request;
    request.set_session(session);
    return Reader::Start(
        loop, stub->async(), &Async::Logs, request, options,
        {.on_message = [this](const LogChunk& chunk) { got.push_back(chunk.data()); },
         .on_ready = [] {},
         .on_closed = [this](const Status& status) { end = status; }});
  }
  bool Ended() {
    return loop.RunUntil([this] { return end.has_value(); });
  }
};

LogChunk Chunk(std::string bytes) {
  LogChunk chunk;
  chunk.set_data(std::move(bytes));
  return chunk;
}

}  // namespace

TEST_CASE("a server stream arrives in order, then its end") {
  Fixture f;
  f.service.on_logs = [](const LogsRequest& request, std::unique_ptr<Writer> stream) {
    for (int i = 0; i < 3; ++i) stream->Write(Chunk(request.session() + std::to_string(i)));
    stream->Finish(OkStatus());
  };
  const auto reader = f.Call("box");
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.got == std::vector<std::string>{"box0", "box1", "box2"});
}

TEST_CASE("a request that is no message is answered before any handler") {
  Fixture f;
  bool handled = false;
  f.service.on_logs = [&](const LogsRequest&, const std::unique_ptr<Writer>&) { handled = true; };
  const auto reader = f.Call("\xff");
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kInvalidArgument);
  REQUIRE(!handled);
}

TEST_CASE("a deadline ends a stream on both sides") {
  Fixture f;
  std::unique_ptr<Writer> served;
  std::optional<bool> closed;
  f.service.on_logs = [&](const LogsRequest&, std::unique_ptr<Writer> stream) {
    served = std::move(stream);
    served->Begin({.on_ready = [] {}, .on_closed = [&](bool cancelled) { closed = cancelled; }});
  };
  const auto reader = f.Call("box", {std::chrono::milliseconds(20)});
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kDeadlineExceeded);
  REQUIRE(f.loop.RunUntil([&] { return closed.has_value(); }));
  REQUIRE(*closed);
}

TEST_CASE("a stream cancelled while it does not read ends all the same") {
  Fixture f;
  std::unique_ptr<Writer> served;
  f.service.on_logs = [&](const LogsRequest&, std::unique_ptr<Writer> stream) {
    served = std::move(stream);
    served->Begin({});
    for (int i = 0; i < 3; ++i) served->Write(Chunk("x"));
  };
  auto reader = f.Call("box");
  reader->PauseReading(true);
  REQUIRE(f.loop.RunUntil([&] { return f.got.size() == 1; }));
  SECTION("by Cancel") {
    reader->Cancel();
    REQUIRE(f.Ended());
    REQUIRE_CODE(*f.end, kCancelled);
  }
  SECTION("by dropping it in silence") {
    reader = nullptr;
    f.server.Stop();
    REQUIRE(!f.end);
  }
  REQUIRE(f.got.size() == 1);
}

TEST_CASE("a reader may be dropped in each of its own events") {
  Fixture f;
  f.service.on_logs = [&](const LogsRequest&, std::unique_ptr<Writer> stream) {
    stream->Write(Chunk("x"));
    stream->Finish(OkStatus());
  };
  const bool in_message = GENERATE(true, false);
  std::unique_ptr<Reader> reader;
  reader = Reader::Start(f.loop, f.stub->async(), &Async::Logs, {}, {},
                         {.on_message =
                              [&](const LogChunk&) {
                                if (in_message) reader = nullptr;
                              },
                          .on_ready = [] {},
                          .on_closed = [&](const Status&) { reader = nullptr; }});
  REQUIRE(f.loop.RunUntil([&] { return !reader; }));
}

TEST_CASE("a server that is not there is Unavailable at once") {
  TestLoop loop;
  TempDir dir;
  const auto stub = System::NewStub(ConnectChannel(dir / "none.sock"));
  std::optional<Status> end;
  const auto reader = Reader::Start(loop, stub->async(), &Async::Logs, {}, {},
                                    {.on_message = [](const LogChunk&) {},
                                     .on_ready = [] {},
                                     .on_closed = [&](const Status& status) { end = status; }});
  REQUIRE(loop.RunUntil([&] { return end.has_value(); }));
  REQUIRE_CODE(*end, kUnavailable);
}

}  // namespace capsem::rpc
