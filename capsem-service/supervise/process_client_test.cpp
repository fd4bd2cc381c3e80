#include "supervise/process_client.h"

#include <optional>

#include "testing/fake_process.h"

namespace capsem::service {
namespace {

using capsem::v1::ExecEvent;
using capsem::v1::ExecInput;

struct Fixture {
  TestLoop loop;
  FakeProcess process{loop};
  std::optional<rpc::TestServer> server{std::in_place, loop, std::vector<grpc::Service*>{&process}};
  ProcessClient client{loop, server->path()};
  std::vector<std::string> got;
  std::optional<Status> end;
  bool ready = false;

  std::unique_ptr<ProcessExec> Exec() {
    return client.Exec(
        {.on_event = [this](const ExecEvent& event) { got.push_back(event.stdout()); },
         .on_ready = [this] { ready = true; },
         .on_closed = [this](const Status& status) { end = status; }});
  }
  bool Ended() {
    return loop.RunUntil([this] { return end.has_value(); });
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

TEST_CASE("calls wait for the process to listen, then go out in order") {
  Fixture f;
  const auto exec = f.Exec();
  exec->Write(Stdin("a"));
  exec->Write(Stdin("b"));
  exec->FinishWriting();
  std::optional<Status> signalled;
  f.client.Signal({}, [&](const Status& status) { signalled = status; });
  f.loop.RunReady();
  REQUIRE(f.process.execs.empty());
  f.client.Open("proof");
  REQUIRE(f.loop.RunUntil([&] { return f.process.inputs_ended && signalled; }));
  REQUIRE(f.process.inputs.size() == 2);
  REQUIRE(f.process.inputs[0].stdin() == "a");
  REQUIRE(f.process.inputs[1].stdin() == "b");
  REQUIRE_OK(*signalled);
  f.process.execs[0]->Write(Stdout("out"));
  f.process.EndExecs(OkStatus());
  REQUIRE(f.Ended());
  REQUIRE_OK(*f.end);
  REQUIRE(f.got == std::vector<std::string>{"out"});
}

TEST_CASE("inputs that wait are bounded, and the writer hears when there is room") {
  Fixture f;
  const auto exec = f.Exec();
  size_t sent = 0;
  while (exec->Write(Stdin(std::string(64 * 1024, 'x')))) ++sent;
  REQUIRE(sent == 15);
  REQUIRE(!f.ready);
  f.client.Open("proof");
  REQUIRE(f.loop.RunUntil([&] { return f.ready; }));
}

TEST_CASE("calls that wait end with the reason when there will be no process") {
  Fixture f;
  const auto exec = f.Exec();
  std::optional<Status> stopped;
  f.client.Stop(std::chrono::milliseconds(1), [&](const Status& status) { stopped = status; });
  f.client.Close(Unavailable("the machine died: no QEMU"));
  REQUIRE(!f.end);
  REQUIRE(f.loop.RunUntil([&] { return f.end && stopped; }));
  REQUIRE(Message(*f.end) == "the machine died: no QEMU");
  REQUIRE(Message(*stopped) == "the machine died: no QEMU");
  f.end.reset();
  const auto later = f.Exec();
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kUnavailable);
}

TEST_CASE("a call whose connection breaks ends with the reason, once that is known") {
  Fixture f;
  f.client.Open("proof");
  const auto exec = f.Exec();
  exec->Write(Stdin("a"));
  REQUIRE(f.loop.RunUntil([&] { return f.process.execs.size() == 1; }));
  SECTION("known before") {
    f.client.Close(Unavailable("the machine died: signal 9"));
    f.server.reset();
  }
  SECTION("known after") {
    f.server.reset();
    f.loop.RunReady();
    f.client.Close(Unavailable("the machine died: signal 9"));
  }
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kUnavailable);
  REQUIRE(Message(*f.end) == "the machine died: signal 9");
}

TEST_CASE("an error that the process gave is passed on as it is") {
  Fixture f;
  f.client.Open("proof");
  const auto exec = f.Exec();
  exec->Write(Stdin("a"));
  REQUIRE(f.loop.RunUntil([&] { return f.process.execs.size() == 1; }));
  f.process.EndExecs(WithRemedy(ResourceExhausted("1000 commands run"), "wait for one"));
  REQUIRE(f.Ended());
  REQUIRE_CODE(*f.end, kResourceExhausted);
  REQUIRE(Remedy(*f.end) == "wait for one");
}

TEST_CASE("a process of before that does not know a call says so, and what helps") {
  Fixture f;
  f.client.Open("proof");
  std::optional<Status> said;
  f.client.ListExecs([&](const auto& answer) { said = answer.status(); });  // the fake has none
  REQUIRE(f.loop.RunUntil([&] { return said.has_value(); }));
  REQUIRE_CODE(*said, kUnimplemented);
  REQUIRE(Describe(*said).find("older version") != std::string::npos);
  REQUIRE(Remedy(*said).find("capsem restart") != std::string::npos);
}

TEST_CASE("dropping an exec ends its stream only") {
  Fixture f;
  f.client.Open("proof");
  auto exec = f.Exec();
  exec->Write(Stdin("a"));
  REQUIRE(f.loop.RunUntil([&] { return f.process.execs.size() == 1; }));
  exec = nullptr;
  REQUIRE(f.loop.RunUntil([&] { return f.process.execs_closed == 1; }));
  REQUIRE(f.process.signals.empty());
  REQUIRE(!f.end);
}

TEST_CASE("the holder hears what becomes of the machine") {
  Fixture f;
  using Event = FakeProcess::Event;
  std::vector<Event> events;
  f.client.Hold([&](const Event& event) { events.push_back(event); });
  f.client.Open("proof");
  REQUIRE(f.loop.RunUntil([&] { return f.process.hold != nullptr; }));
  f.process.Say(Event::STATE_BOOTING);
  f.process.Say(Event::STATE_READY);
  f.process.Say(Event::STATE_GONE, "signal 9");
  REQUIRE(f.loop.RunUntil([&] { return events.size() == 3; }));
  REQUIRE(events[2].reason() == "signal 9");
}

}  // namespace capsem::service
