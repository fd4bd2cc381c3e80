#include "api/exec_call.h"

#include <fstream>

#include "api/execs_rpc.h"
#include "base/testing/temp_dir.h"
#include "rpc/client_stream.h"
#include "testing/one_machine.h"

namespace capsem::service {
namespace {

using capsem::v1::ExecEvent;
using capsem::v1::ExecInput;
using capsem::v1::Execs;
using Async = Execs::StubInterface::async_interface;
using Client = rpc::ClientStream<ExecInput, ExecEvent>;

struct Fixture {
  explicit Fixture(BulkGate gate = BulkGate())
      : execs(host.loop, host.table, *host.sessions, std::move(gate)) {}

  OneMachine host;
  ExecsRpc execs;
  rpc::TestServer server{host.loop, {&execs}};
  std::unique_ptr<Execs::Stub> stub = Execs::NewStub(rpc::ConnectChannel(server.path()));
  std::vector<ExecEvent> got;
  std::optional<Status> end;

  FakeProcess& process() { return host.process; }
  bool Until(const std::function<bool()>& condition) { return host.loop.RunUntil(condition); }

  std::unique_ptr<Client> Call(
      void (Async::*verb)(grpc::ClientContext*, grpc::ClientBidiReactor<ExecInput, ExecEvent>*)) {
    return Client::Start(
        host.loop, stub->async(), verb, {},
        {.on_message = [this](ExecEvent event) { got.push_back(std::move(event)); },
         .on_ready = [] {},
         .on_closed = [this](const Status& status) { end = status; }});
  }
  // A command whose stream the process has.
  std::unique_ptr<Client> Exec(const ExecInput& first) {
    auto client = Call(&Async::Exec);
    client->Write(first);
    REQUIRE(Until([this] { return end || !process().inputs.empty(); }));
    return client;
  }
  void Say(const ExecEvent& event) { process().execs[0]->Write(event); }
  void SayStarted() {
    ExecEvent event;
    event.mutable_started()->set_exec(7);
    Say(event);
  }
  void SayStdout(const std::string& bytes) {
    ExecEvent event;
    event.set_stdout(bytes);
    Say(event);
  }
  void SayExit(uint32_t code) {
    ExecEvent event;
    event.mutable_exit()->set_code(code);
    Say(event);
    process().EndExecs(OkStatus());
  }
  bool Ended() {
    return Until([this] { return end.has_value(); });
  }
};

ExecInput Start(const std::string& session, capsem::v1::OnDisconnect policy = {}) {
  ExecInput input;
  input.mutable_start()->set_session(session);
  input.mutable_start()->add_argv("true");
  input.mutable_start()->set_on_disconnect(policy);
  return input;
}

ExecInput RunInput() {
  ExecInput input;
  input.mutable_run()->mutable_exec()->add_argv("true");
  return input;
}

ExecInput Stdin(std::string bytes) {
  ExecInput input;
  input.set_stdin(std::move(bytes));
  return input;
}

}  // namespace

TEST_CASE("a command's inputs and events pass in order, its exit last") {
  Fixture f;
  const std::string id = f.host.Run("box");
  ExecInput start = Start("box");
  start.mutable_start()->set_stdin_open(true);
  const auto client = f.Exec(start);
  client->Write(Stdin("in"));
  REQUIRE(f.Until([&] { return f.process().inputs.size() == 2; }));
  REQUIRE(f.process().inputs[0].start().argv(0) == "true");
  REQUIRE(f.process().inputs[1].stdin() == "in");
  f.SayStarted();
  f.SayStdout("out");
  f.SayExit(3);
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.got.size() == 3);
  REQUIRE(f.got[0].started().session() == id);
  REQUIRE(f.got[0].started().exec() == 7);
  REQUIRE(f.got[0].started().isolation() == capsem::v1::ISOLATION_EMULATED);
  REQUIRE(f.got[1].stdout() == "out");
  REQUIRE(f.got[2].exit().code() == 3);
  REQUIRE(f.process().signals.empty());
}

TEST_CASE("bulk output that makes way for others comes whole all the same, and then its exit") {
  const TempDir dir;
  std::ofstream(dir / "schedstat") << "1 1000 1\n";  // this thread waits and does not run
  BulkGate gate(dir / "schedstat");
  gate.Pass(SessionId::Generate(), 1, Clock::Now());
  Fixture f(std::move(gate));
  f.host.Run("box");
  const auto client = f.Exec(Start("box"));
  f.SayStarted();
  const std::string bulk(256 * 1024, 'x');
  for (int i = 0; i < 4; ++i) f.SayStdout(bulk);
  f.SayExit(0);
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.got.size() == 6);
  for (size_t i = 1; i <= 4; ++i) REQUIRE(f.got[i].stdout().size() == bulk.size());
  REQUIRE(f.got.back().has_exit());
}

TEST_CASE("a command that reads nothing has its whole request at once") {
  Fixture f;
  f.host.Run("box");
  const auto client = f.Exec(Start("box"));
  // The client goes on as if it might send more: the process knows better.
  REQUIRE(f.Until([&] { return f.process().inputs_ended; }));
  client->Write(Stdin("for nobody"));
  f.SayStarted();
  f.SayExit(0);
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.process().inputs.size() == 1);
}

TEST_CASE("a command sent right after create takes its turn") {
  Fixture f;
  f.host.hold_disk = true;
  VALUE_OF(f.host.Create("box"));
  const auto client = f.Call(&Async::Exec);
  client->Write(Start("box"));
  REQUIRE(f.Until([&] { return f.host.release_disk != nullptr; }));
  f.host.loop.RunReady();
  REQUIRE(f.process().inputs.empty());
  f.host.release_disk();
  REQUIRE(f.Until([&] { return f.process().inputs.size() == 1; }));
  f.SayStarted();
  f.SayExit(0);
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
}

TEST_CASE("a command that cannot be run is refused before any machine hears of it") {
  Fixture f;
  f.host.Run("box");
  ExecInput empty = Start("box");
  empty.mutable_start()->clear_argv();
  ExecInput latin1 = Start("box");
  latin1.mutable_start()->add_argv("caf\xe9");
  struct Case {
    ExecInput first;
    StatusCode code;
  };
  const std::vector<Case> cases = {
      {empty, StatusCode::kInvalidArgument},         {latin1, StatusCode::kInvalidArgument},
      {Stdin("x"), StatusCode::kInvalidArgument},    {Start("nobody"), StatusCode::kNotFound},
      {Start("../x"), StatusCode::kInvalidArgument},
  };
  for (const Case& c : cases) {
    f.end.reset();
    const auto client = f.Exec(c.first);
    REQUIRE(f.Ended());
    INFO(Describe(*f.end));
    REQUIRE(f.end->code() == c.code);
  }
  REQUIRE(f.process().inputs.empty());
}

TEST_CASE("a client that goes away ends its command by a message, unless it was to go on") {
  Fixture f;
  f.host.Run("box");
  SECTION("KILL, after the start") {
    auto client = f.Exec(Start("box"));
    f.SayStarted();
    REQUIRE(f.Until([&] { return f.got.size() == 1; }));
    client = nullptr;
    REQUIRE(f.Until([&] { return !f.process().signals.empty(); }));
    REQUIRE(f.process().signals[0].exec() == 7);
    REQUIRE(f.process().signals[0].signal() == 9);
    // What it still says is read and dropped: it does not wait for a reader that is gone.
    for (int i = 0; i < 100; ++i) f.SayStdout(std::string(64 * 1024, 'x'));
    f.process().execs[0]->Finish(OkStatus());
    REQUIRE(f.Until([&] { return f.process().execs_closed == 1; }));
  }
  SECTION("KILL, before the start") {
    auto client = f.Exec(Start("box"));
    client = nullptr;
    f.host.loop.RunReady();
    REQUIRE(f.process().signals.empty());
    f.SayStarted();
    REQUIRE(f.Until([&] { return !f.process().signals.empty(); }));
    f.SayExit(137);
  }
  SECTION("KEEP") {
    auto client = f.Exec(Start("box", capsem::v1::ON_DISCONNECT_KEEP));
    f.SayStarted();
    REQUIRE(f.Until([&] { return f.got.size() == 1; }));
    client = nullptr;
    REQUIRE(f.Until([&] { return f.process().execs_closed == 1; }));
    REQUIRE(f.process().signals.empty());
  }
  SECTION("after the exit") {
    auto client = f.Exec(Start("box"));
    f.SayStarted();
    f.SayExit(0);
    REQUIRE(f.Ended());
    client = nullptr;
    f.host.loop.RunReady();
    REQUIRE(f.process().signals.empty());
  }
}

TEST_CASE("a client that breaks the rules is sent away, and its command ends") {
  Fixture f;
  f.host.Run("box");
  const auto client = f.Exec(Start("box"));
  f.SayStarted();
  REQUIRE(f.Until([&] { return f.got.size() == 1; }));
  SECTION("a second start") { client->Write(Start("box")); }
  SECTION("too much stdin at once") { client->Write(Stdin(std::string(256 * 1024 + 1, 'x'))); }
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kInvalidArgument);
  REQUIRE(f.Until([&] { return !f.process().signals.empty(); }));
  f.SayExit(137);
}

TEST_CASE("a detached command ends its call when it has started") {
  Fixture f;
  f.host.Run("box");
  ExecInput first = Start("box");
  first.mutable_start()->set_detach(true);
  const auto client = f.Exec(first);
  f.SayStarted();
  f.process().EndExecs(OkStatus());
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.process().signals.empty());
}

TEST_CASE("the death of the machine ends a call with its reason") {
  Fixture f;
  f.host.Run("box");
  const auto client = f.Exec(Start("box"));
  f.process().Say(FakeProcess::Event::STATE_GONE, "QEMU ended with signal 9");
  f.process().EndExecs(Unavailable("gone"));
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kUnavailable);
  REQUIRE(Message(*f.end).find("QEMU ended with signal 9") != std::string_view::npos);
  REQUIRE(!Remedy(*f.end).empty());
}

TEST_CASE("a stream that ends without its exit is an error of ours") {
  Fixture f;
  f.host.Run("box");
  const auto client = f.Exec(Start("box"));
  f.process().EndExecs(OkStatus());
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kInternal);
}

TEST_CASE("one who attaches reads and writes, and ends nothing by going away") {
  Fixture f;
  const std::string id = f.host.Run("box");
  ExecInput first;
  first.mutable_attach()->set_session("box");
  first.mutable_attach()->set_exec(7);
  first.mutable_attach()->set_offset(5);
  auto client = f.Call(&Async::Attach);
  client->Write(first);
  client->Write(Stdin("from afar"));
  REQUIRE(f.Until([&] { return f.process().inputs.size() == 2; }));
  REQUIRE(f.process().attached);
  REQUIRE(f.process().inputs[0].attach().offset() == 5);
  REQUIRE(f.process().inputs[1].stdin() == "from afar");
  f.SayStarted();
  REQUIRE(f.Until([&] { return f.got.size() == 1; }));
  REQUIRE(f.got[0].started().session() == id);
  SECTION("it goes away") {
    client = nullptr;
    REQUIRE(f.Until([&] { return f.process().execs_closed == 1; }));
    REQUIRE(f.process().signals.empty());
  }
  SECTION("it hears the exit") {
    f.SayExit(4);
    REQUIRE(f.Ended());
    REQUIRE_OK(*f.end);
    REQUIRE(f.got.back().exit().code() == 4);
  }
  SECTION("what it asks for is not there") {
    f.process().EndExecs(OutOfRange("it begins at 9"));
    REQUIRE(f.Ended());
    REQUIRE_CODE(*f.end, kOutOfRange);
  }
}

TEST_CASE("a command with a terminal hears its size, though it reads nothing else") {
  Fixture f;
  f.host.Run("box");
  ExecInput start = Start("box");
  start.mutable_start()->mutable_pty();
  const auto client = f.Exec(start);
  ExecInput size;
  size.mutable_resize()->set_rows(50);
  client->Write(size);
  REQUIRE(f.Until([&] { return f.process().inputs.size() == 2; }));
  REQUIRE(f.process().inputs[1].resize().rows() == 50);
  size.mutable_resize()->set_rows(65536);
  client->Write(size);
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kInvalidArgument);
}

TEST_CASE("run makes a session, and nothing of it is left when the call ends") {
  Fixture f;
  auto client = f.Call(&Async::Run);
  ExecInput run = RunInput();
  run.mutable_run()->mutable_exec()->set_stdin_open(true);
  client->Write(run);
  client->Write(Stdin("early"));
  SECTION("after the command's exit") {
    REQUIRE(f.Until([&] { return f.process().inputs.size() == 2; }));
    REQUIRE(f.process().inputs[1].stdin() == "early");
    REQUIRE(f.host.table.All().size() == 1);
    f.SayStarted();
    f.SayExit(0);
    REQUIRE(f.Ended());
    REQUIRE_OK(*f.end);
    REQUIRE(f.got.back().exit().code() == 0);
  }
  SECTION("when the client goes away while it starts") {
    REQUIRE(f.Until([&] { return f.host.table.All().size() == 1; }));
    client = nullptr;
    REQUIRE(f.Until([&] { return f.host.table.All().empty(); }));
  }
  SECTION("when the client goes away while it runs") {
    REQUIRE(f.Until([&] { return f.process().inputs.size() == 2; }));
    client = nullptr;
    REQUIRE(f.Until([&] { return f.host.table.All().empty(); }));
  }
  SECTION("when the machine dies") {
    REQUIRE(f.Until([&] { return f.process().hold && f.process().inputs.size() == 2; }));
    f.process().Say(FakeProcess::Event::STATE_GONE, "QEMU ended");
    f.process().EndExecs(Unavailable("gone"));
    REQUIRE(f.Ended());
    REQUIRE_CODE(*f.end, kUnavailable);
  }
  REQUIRE(f.host.table.All().empty());
}

TEST_CASE("a run that cannot be is refused before anything is made") {
  Fixture f;
  ExecInput named = RunInput();
  named.mutable_run()->mutable_session()->set_name("box");
  ExecInput detached = RunInput();
  detached.mutable_run()->mutable_exec()->set_detach(true);
  ExecInput huge = RunInput();
  huge.mutable_run()->mutable_session()->set_cpus(99);
  for (const ExecInput& first : {named, detached, huge, Start("box")}) {
    f.end.reset();
    const auto client = f.Call(&Async::Run);
    client->Write(first);
    REQUIRE(f.Ended());
    REQUIRE_CODE(*f.end, kInvalidArgument);
  }
  REQUIRE(f.host.table.All().empty());
}

}  // namespace capsem::service
