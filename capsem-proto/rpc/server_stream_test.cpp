#include "rpc/server_stream.h"

#include <functional>
#include <optional>

#include "capsem/v1/execs.grpc.pb.h"
#include "rpc/client_stream.h"
#include "rpc/testing/test_server.h"

namespace capsem::rpc {
namespace {

using v1::ExecEvent;
using v1::ExecInput;
using v1::Execs;
using Server = ServerStream<ExecInput, ExecEvent>;
using Client = ClientStream<ExecInput, ExecEvent>;
using Async = Execs::StubInterface::async_interface;

// `Exec` hands its stream to the test.
class ExecServer final : public Execs::WithRawCallbackMethod_Exec<Execs::Service> {
 public:
  explicit ExecServer(Loop& loop) : loop_(loop) {}
  std::function<void(std::unique_ptr<Server>)> on_exec;

 private:
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Exec(
      grpc::CallbackServerContext*) override {
    return Server::Accept(loop_,
                          [this](std::unique_ptr<Server> stream) { on_exec(std::move(stream)); });
  }
  Loop& loop_;
};

struct Fixture {
  TestLoop loop;
  ExecServer service{loop};
  TestServer server{loop, {&service}};
  std::unique_ptr<Execs::Stub> stub = Execs::NewStub(ConnectChannel(server.path()));
  std::unique_ptr<Server> served;
  std::optional<Status> end;  // as the client saw it
  std::vector<std::string> got;
  std::optional<bool> closed;  // as the server saw it

  // The server keeps its stream and echoes stdin to stdout.
  void Echo() {
    service.on_exec = [this](std::unique_ptr<Server> stream) {
      served = std::move(stream);
      served->Begin({.on_message =
                         [this](const ExecInput& input) {
                           ExecEvent event;
                           event.set_stdout(input.stdin());
                           served->Write(event);
                         },
                     .on_inputs_end = [this] { served->Finish(OkStatus()); },
                     .on_ready = [] {},
                     .on_closed = [this](bool cancelled) { closed = cancelled; }});
    };
  }
  std::unique_ptr<Client> Call() {
    return Client::Start(
        loop, stub->async(), &Async::Exec, {},
        {.on_message = [this](const ExecEvent& event) { got.push_back(event.stdout()); },
         .on_ready = [] {},
         .on_closed = [this](const Status& status) { end = status; }});
  }
  bool Ended() {
    return loop.RunUntil([this] { return end.has_value(); });
  }
  bool Closed() {
    return loop.RunUntil([this] { return closed.has_value(); });
  }
};

ExecInput Stdin(std::string bytes) {
  ExecInput input;
  input.set_stdin(std::move(bytes));
  return input;
}

ExecEvent Stdout(std::string bytes) {
  ExecEvent event;
  event.set_stdout(std::move(bytes));
  return event;
}

}  // namespace

TEST_CASE("messages keep their order both ways and the end comes last") {
  Fixture f;
  f.Echo();
  const auto client = f.Call();
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) {
    sent.push_back(std::to_string(i));
    client->Write(Stdin(sent.back()));
  }
  client->FinishWriting();
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.got == sent);
  REQUIRE(f.Closed());
  REQUIRE(*f.closed == false);
}

TEST_CASE("a last input that goes with the end of the inputs comes after the others") {
  Fixture f;
  const int before = GENERATE(0, 1, 100);
  f.Echo();
  const auto client = f.Call();
  for (int i = 0; i < before; ++i) client->Write(Stdin(std::to_string(i)));
  client->WriteLast(Stdin("last"));
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.got.size() == static_cast<size_t>(before) + 1);
  REQUIRE(f.got.back() == "last");
}

TEST_CASE("a call that never says anything is heard of when it ends") {
  Fixture f;
  f.Echo();
  auto client = f.Call();
  client->FinishWriting();
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.got.empty());
}

TEST_CASE("a last message that goes with the end comes after what was written before") {
  Fixture f;
  const int before = GENERATE(0, 1, 100);
  f.service.on_exec = [&](std::unique_ptr<Server> stream) {
    f.served = std::move(stream);
    f.served->Begin({.on_closed = [&f](bool cancelled) { f.closed = cancelled; }});
    ExecEvent event;
    for (int i = 0; i < before; ++i) {
      event.set_stdout(std::to_string(i));
      f.served->Write(event);
    }
    event.set_stdout("last");
    f.served->FinishWith(event, OkStatus());
  };
  const auto client = f.Call();
  client->FinishWriting();
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.got.size() == static_cast<size_t>(before) + 1);
  REQUIRE(f.got.back() == "last");
  REQUIRE(f.Closed());
  REQUIRE_FALSE(*f.closed);
}

TEST_CASE("an error ends the stream with its remedy, after what was written before") {
  Fixture f;
  f.service.on_exec = [](std::unique_ptr<Server> stream) {
    stream->Begin({});
    for (int i = 0; i < 50; ++i) stream->Write(Stdout("x"));
    stream->Finish(WithRemedy(Unavailable("the machine died"), "start it again"));
  };
  const auto client = f.Call();
  client->FinishWriting();
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kUnavailable);
  REQUIRE(Remedy(*f.end) == "start it again");
  REQUIRE(f.got.size() == 50);
}

TEST_CASE("a stream that is dropped says INTERNAL") {
  Fixture f;
  f.service.on_exec = [](const std::unique_ptr<Server>&) {};
  const auto client = f.Call();
  client->FinishWriting();
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kInternal);
}

TEST_CASE("a slow reader bounds what the server queues, and 100 MiB arrive whole") {
  Fixture f;
  constexpr size_t kChunk = 64 * 1024;
  constexpr size_t kTotal = 100 * 1024 * 1024;
  size_t written = 0, received = 0, refusals = 0, most_ahead = 0;
  std::function<void()> pump = [&] {
    while (written < kTotal) {
      written += kChunk;
      most_ahead = std::max(most_ahead, written - received);
      if (!f.served->Write(Stdout(std::string(kChunk, 'x')))) {
        ++refusals;
        return;
      }
    }
    f.served->Finish(OkStatus());
  };
  f.service.on_exec = [&](std::unique_ptr<Server> stream) {
    f.served = std::move(stream);
    f.served->Begin({.on_message = [](const ExecInput&) {},
                     .on_inputs_end = [] {},
                     .on_ready = [&] { pump(); },
                     .on_closed = [](bool) {}});
    pump();
  };
  // The reader takes one message, then asks for the next one only a turn of the loop later.
  std::unique_ptr<Client> client;
  client = Client::Start(f.loop, f.stub->async(), &Async::Exec, {},
                         {.on_message =
                              [&](const ExecEvent& event) {
                                received += event.stdout().size();
                                client->PauseReading(true);
                                f.loop.Post([&] { client->PauseReading(false); });
                              },
                          .on_ready = [] {},
                          .on_closed = [&](const Status& status) { f.end = status; }});
  client->FinishWriting();
  while (!f.end)
    REQUIRE(f.loop.RunUntil([&, before = received] { return f.end || received > before; }));
  REQUIRE_OK(*f.end);
  REQUIRE(received == kTotal);
  REQUIRE(refusals > 10);
  // The queue, HTTP/2's windows and the socket's buffers; not the 100 MiB.
  REQUIRE(most_ahead < 16 * 1024 * 1024);
}

TEST_CASE("a server that pauses reading holds the client's writes") {
  Fixture f;
  size_t received = 0;
  f.service.on_exec = [&](std::unique_ptr<Server> stream) {
    f.served = std::move(stream);
    f.served->PauseReading(true);
    f.served->Begin(
        {.on_message = [&](const ExecInput& input) { received += input.stdin().size(); },
         .on_inputs_end = [&] { f.served->Finish(OkStatus()); },
         .on_ready = [] {},
         .on_closed = [](bool) {}});
  };
  bool ready = false;
  std::unique_ptr<Client> client =
      Client::Start(f.loop, f.stub->async(), &Async::Exec, {},
                    {.on_message = [](const ExecEvent&) {},
                     .on_ready = [&] { ready = true; },
                     .on_closed = [&](const Status& status) { f.end = status; }});
  size_t sent = 0;
  const std::string chunk(64 * 1024, 'x');
  while (client->Write(Stdin(chunk))) sent += chunk.size();
  sent += chunk.size();
  REQUIRE(f.loop.RunUntil([&] { return f.served != nullptr; }));
  REQUIRE(received <= chunk.size());  // the one that was being read
  // What the sockets and HTTP/2's windows took may have made it ready once: fill it up until
  // nothing moves.
  for (int i = 0; i < 100; ++i) f.loop.RunReady();
  REQUIRE(received <= chunk.size());  // the one that was being read
  f.served->PauseReading(false);
  client->FinishWriting();
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(received == sent);
  REQUIRE(ready);
}

TEST_CASE("a client that cancels is heard by the server, once") {
  Fixture f;
  f.Echo();
  auto client = f.Call();
  client->Write(Stdin("a"));
  REQUIRE(f.loop.RunUntil([&] { return f.got.size() == 1; }));
  SECTION("by Cancel") {
    client->Cancel();
    REQUIRE(f.Ended());
    REQUIRE_CODE(*f.end, kCancelled);
  }
  SECTION("by dropping its stream") { client = nullptr; }
  REQUIRE(f.Closed());
  REQUIRE(*f.closed);
  // Nothing comes back to a stream that is closed, and it may still be used.
  f.served->Write(Stdout("late"));
  f.served->Finish(OkStatus());
}

TEST_CASE("a served stream may be dropped in each of its own events") {
  Fixture f;
  const std::string where = GENERATE("message", "inputs end", "closed");
  f.service.on_exec = [&](std::unique_ptr<Server> stream) {
    f.served = std::move(stream);
    const auto drop_if = [&](const std::string& here) {
      if (where == here) f.served = nullptr;
    };
    f.served->Begin({.on_message = [=](const ExecInput&) { drop_if("message"); },
                     .on_inputs_end = [=] { drop_if("inputs end"); },
                     .on_ready = [] {},
                     .on_closed =
                         [=, &f](bool) {
                           f.closed = true;
                           drop_if("closed");
                         }});
  };
  auto client = f.Call();
  client->Write(Stdin("a"));
  if (where == "closed") {
    REQUIRE(f.loop.RunUntil([&] { return f.served != nullptr; }));
    client->Cancel();
  } else {
    client->FinishWriting();
  }
  REQUIRE(f.Ended());
  REQUIRE(f.end->code() == (where == "closed" ? StatusCode::kCancelled : StatusCode::kInternal));
  if (where == "closed") REQUIRE(f.loop.RunUntil([&] { return !f.served; }));
}

TEST_CASE("an input that is not UTF-8 ends the stream with InvalidArgument") {
  Fixture f;
  f.Echo();
  const auto client = f.Call();
  ExecInput input;
  input.mutable_start()->add_argv("\xff");
  client->Write(input);
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kInvalidArgument);
  REQUIRE(Remedy(*f.end).find("UTF-8") != std::string::npos);
  REQUIRE(f.Closed());
  REQUIRE(*f.closed);
}

TEST_CASE("a server that shuts down mid-stream ends both sides") {
  Fixture f;
  f.Echo();
  const auto client = f.Call();
  client->Write(Stdin("a"));
  REQUIRE(f.loop.RunUntil([&] { return f.got.size() == 1; }));
  f.server.Stop();
  REQUIRE(f.Ended());
  REQUIRE(!f.end->ok());
  REQUIRE(f.Closed());
  REQUIRE(*f.closed);
}

}  // namespace capsem::rpc
