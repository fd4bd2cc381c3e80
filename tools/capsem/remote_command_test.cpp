#include "remote_command.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::cli {
namespace {

// What the service saw of the call, and the events it sends.
struct FakeCall {
  CommandStream::Events events;
  std::vector<v1::ExecInput> inputs;
  std::vector<uint32_t> signals;
  bool paused = false;
  bool dropped = false;
  bool takes_more = true;
};

class FakeStream final : public CommandStream {
 public:
  explicit FakeStream(FakeCall& call) : call_(call) {}
  ~FakeStream() override { call_.dropped = true; }
  bool Write(v1::ExecInput input) override {
    call_.inputs.push_back(std::move(input));
    return call_.takes_more;
  }
  void FinishWriting() override {}
  void PauseReading(bool paused) override { call_.paused = paused; }

 private:
  FakeCall& call_;
};

UniqueFd Discarded() { return UniqueFd(open("/dev/null", O_RDWR)); }

struct Fixture {
  explicit Fixture(bool forward_stdin = false, bool detach = false) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    out_read.Reset(ends[0]);
    out_write.Reset(ends[1]);
    REQUIRE(pipe(ends) == 0);
    in_read.Reset(ends[0]);
    in_write.Reset(ends[1]);
    first.mutable_start()->set_session("box");
    first.mutable_start()->set_stdin_open(forward_stdin);
    first.mutable_start()->set_detach(detach);
  }
  void Start() {
    command = std::make_unique<RemoteCommand>(
        loop,
        RemoteCommand::Server{[this](CommandStream::Events events) {
                                call.events = std::move(events);
                                return std::make_unique<FakeStream>(call);
                              },
                              [this](const v1::SignalRequest& request) {
                                CHECK(request.session() == "abcdefghijkl");
                                CHECK(request.exec() == 7);
                                call.signals.push_back(request.signal());
                              }},
        first,
        RemoteCommand::Streams{first.start().stdin_open() ? in_read.get() : -1, out_write.get(),
                               err.get()},
        RemoteCommand::Events{
            .collect = std::move(collect),
            .on_end = [this](StatusOr<int> result) { ends.push_back(std::move(result)); }});
  }
  void SendStarted() {
    v1::ExecEvent event;
    event.mutable_started()->set_session("abcdefghijkl");
    event.mutable_started()->set_exec(7);
    call.events.on_event(event);
  }
  void SendStdout(std::string bytes) {
    v1::ExecEvent event;
    event.set_stdout(std::move(bytes));
    call.events.on_event(event);
  }
  void SendExit(uint32_t code) {
    v1::ExecEvent event;
    event.mutable_exit()->set_code(code);
    call.events.on_event(event);
  }
  std::string ReadOutput() {
    std::string bytes(65536, '\0');
    const ssize_t count = read(out_read.get(), bytes.data(), bytes.size());
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return bytes;
  }

  TestLoop loop;
  FakeCall call;
  v1::ExecInput first;
  UniqueFd out_read, out_write, in_read, in_write;
  UniqueFd err = Discarded();
  absl::AnyInvocable<Status(const v1::ExecEvent&)> collect;
  std::vector<StatusOr<int>> ends;
  std::unique_ptr<RemoteCommand> command;
};

}  // namespace

TEST_CASE("output comes through and the exit is the end") {
  Fixture test;
  test.Start();
  REQUIRE(test.call.inputs.size() == 1);
  CHECK(test.call.inputs[0].start().session() == "box");
  test.SendStarted();
  test.SendStdout("hello\n");
  CHECK(test.ends.empty());
  test.SendExit(42);
  REQUIRE(test.ends.size() == 1);
  CHECK(VALUE_OF(std::move(test.ends[0])) == 42);
  CHECK(test.call.dropped);
  CHECK(test.ReadOutput() == "hello\n");
}

TEST_CASE("a full stdout holds the call, and the exit waits for the last byte") {
  Fixture test;
  test.Start();
  test.SendStarted();
  const std::string much(200000, 'x');
  test.SendStdout(much);
  CHECK(test.call.paused);
  test.SendExit(0);
  test.loop.RunReady();
  CHECK(test.ends.empty());
  std::string received;
  REQUIRE(test.loop.RunUntil([&] {
    if (received.size() < much.size()) received += test.ReadOutput();
    return !test.ends.empty();
  }));
  while (received.size() < much.size()) received += test.ReadOutput();
  CHECK(received == much);
  CHECK(VALUE_OF(std::move(test.ends[0])) == 0);
}

TEST_CASE("stdout that nobody reads any more ends the call") {
  signal(SIGPIPE, SIG_IGN);
  Fixture test;
  test.Start();
  test.SendStarted();
  test.out_read.Reset();
  test.SendStdout("x");
  REQUIRE(test.ends.size() == 1);
  CHECK_FALSE(test.ends[0].ok());
  CHECK(test.call.dropped);
  signal(SIGPIPE, SIG_DFL);
}

TEST_CASE("a command that its time limit has ended says so on stderr") {
  Fixture test;
  test.first.mutable_start()->set_timeout_ms(1500);
  test.err.Reset(dup(test.out_write.get()));
  test.Start();
  test.SendStarted();
  v1::ExecEvent event;
  event.mutable_exit()->set_code(124);
  event.mutable_exit()->set_timed_out(true);
  test.call.events.on_event(event);
  CHECK(VALUE_OF(std::move(test.ends.at(0))) == 124);
  CHECK(test.ReadOutput() == "capsem: the command was ended after 1.5 s (--timeout)\n");
}

TEST_CASE("what is collected is not printed, and the collector can end the call") {
  Fixture test;
  std::string collected;
  test.collect = [&](const v1::ExecEvent& event) {
    collected += event.stdout();
    return collected.size() > 3 ? ResourceExhausted("too much") : OkStatus();
  };
  test.err.Reset(dup(test.out_write.get()));
  test.Start();
  test.SendStarted();
  test.SendStdout("abc");
  CHECK(test.ends.empty());
  SECTION("its exit") {
    test.SendExit(126);
    CHECK(VALUE_OF(std::move(test.ends.at(0))) == 126);
  }
  SECTION("its error") {
    test.SendStdout("d");
    REQUIRE_CODE(test.ends.at(0), kResourceExhausted);
    CHECK(test.call.dropped);
  }
  test.out_write.Reset();
  test.err.Reset();
  test.command = nullptr;
  CHECK(test.ReadOutput().empty());
}

TEST_CASE("stdin goes over as it comes, rests when the call is full, and its end is told") {
  Fixture test(true);
  test.Start();
  REQUIRE(write(test.in_write.get(), "ab", 2) == 2);
  REQUIRE(test.loop.RunUntil([&] { return test.call.inputs.size() == 2; }));
  CHECK(test.call.inputs[1].stdin() == "ab");
  test.call.takes_more = false;
  REQUIRE(write(test.in_write.get(), "cd", 2) == 2);
  REQUIRE(test.loop.RunUntil([&] { return test.call.inputs.size() == 3; }));
  REQUIRE(write(test.in_write.get(), "ef", 2) == 2);
  test.loop.RunReady();
  CHECK(test.call.inputs.size() == 3);
  test.call.takes_more = true;
  test.call.events.on_ready();
  test.in_write.Reset();
  REQUIRE(test.loop.RunUntil([&] { return test.call.inputs.back().stdin_eof(); }));
  CHECK(test.call.inputs[3].stdin() == "ef");
  CHECK(test.call.inputs.size() == 5);
}

TEST_CASE("Ctrl-C interrupts, a second one kills, a third one leaves") {
  Fixture test;
  test.Start();
  test.SendStarted();
  test.command->OnInterrupt();
  CHECK(test.call.signals == std::vector<uint32_t>{SIGINT});
  test.command->OnInterrupt();
  CHECK(test.call.signals == std::vector<uint32_t>{SIGINT, SIGKILL});
  CHECK(test.ends.empty());
  test.command->OnInterrupt();
  REQUIRE(test.ends.size() == 1);
  CHECK(VALUE_OF(std::move(test.ends[0])) == 130);
}

TEST_CASE("Ctrl-C leaves a command that was attached to, and does not touch it") {
  Fixture test;
  test.first.mutable_attach()->set_exec(7);
  test.Start();
  test.SendStarted();
  test.command->OnInterrupt();
  REQUIRE(test.ends.size() == 1);
  CHECK(VALUE_OF(std::move(test.ends[0])) == 130);
  CHECK(test.call.signals.empty());
}

TEST_CASE("a terminal that changes its size says so, until the end") {
  Fixture test;
  test.Start();
  test.SendStarted();
  v1::TerminalSize size;
  size.set_rows(50);
  test.command->Resize(size);
  CHECK(test.call.inputs.back().resize().rows() == 50);
  test.SendExit(0);
  test.command->Resize(size);
  CHECK(test.call.inputs.size() == 2);
}

TEST_CASE("Ctrl-C before the command has started leaves at once") {
  Fixture test;
  test.Start();
  test.command->OnInterrupt();
  REQUIRE(test.ends.size() == 1);
  CHECK(VALUE_OF(std::move(test.ends[0])) == 130);
  CHECK(test.call.dropped);
  CHECK(test.call.signals.empty());
}

TEST_CASE("a call that ends without an exit is an error") {
  struct Case {
    Status closed;
    StatusCode code;
  };
  for (const Case& each : {Case{NotFound("no session is called box"), StatusCode::kNotFound},
                           Case{OkStatus(), StatusCode::kUnavailable}}) {
    Fixture test;
    test.Start();
    test.SendStarted();
    test.call.events.on_closed(each.closed);
    REQUIRE(test.ends.size() == 1);
    CHECK(test.ends[0].status().code() == each.code);
  }
}

TEST_CASE("a detached command ends with its start") {
  Fixture test(false, true);
  test.Start();
  test.SendStarted();
  CHECK(test.ends.empty());
  test.call.events.on_closed(OkStatus());
  REQUIRE(test.ends.size() == 1);
  CHECK(VALUE_OF(std::move(test.ends[0])) == 0);
}

}  // namespace capsem::cli
