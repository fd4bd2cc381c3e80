#include "guest/guest_session.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "testing/fake_guest.h"

namespace capsem::process {
namespace {

using capsem::v1::ExecEvent;
using wire::FrameKind;

// A session with a fake guest behind it, and what it told.
struct Line {
  Line() { Configure(); }
  void Configure() {
    session = std::make_unique<GuestSession>(
        loop, GuestIdentity{"abcdefghijkl", "box", {{"COLOR", "blue"}}},
        GuestSession::Events{
            .on_configured = [this] { configured = true; },
            .on_powering_off = [] {},
            .on_broken = [this](Status status) { broken = std::move(status); },
            .on_up = [this] { ++ups; },
        });
  }
  void Connect() {
    session->Adopt(guest.Dial());
    REQUIRE(loop.RunUntil([this] { return guest.up() && session->link_up(); }));
  }

  TestLoop loop;
  FakeGuest guest{loop};
  std::unique_ptr<GuestSession> session;
  bool configured = false;
  int ups = 0;
  Status broken;
};

// What one command's sink heard.
struct Heard {
  ExecSink Sink(int room = 1 << 30) {
    left = room;
    return {.on_event =
                [this](ExecEvent event) {
                  output += event.stdout();
                  errors += event.stderr();
                  if (event.has_exit()) exit = event.exit().code();
                  return --left > 0;
                },
            .on_stdin_ready = [this] { ++stdin_ready; },
            .on_end =
                [this](Status status) {
                  ++ends;
                  end = std::move(status);
                }};
  }
  std::string output, errors;
  std::optional<uint32_t> exit;
  int left = 0, ends = 0, stdin_ready = 0;
  Status end;
};

capsem::v1::ExecStart Command(const std::string& program) {
  capsem::v1::ExecStart start;
  start.add_argv(program);
  return start;
}

TEST_CASE("the guest is configured once, whatever becomes of its first connection") {
  Line line;
  line.Connect();
  REQUIRE(line.loop.RunUntil([&] { return line.configured; }));
  REQUIRE(line.guest.control.size() == 1);
  const auto& configure = line.guest.control[0].configure();
  REQUIRE(configure.session_id() == "abcdefghijkl");
  REQUIRE(configure.hostname() == "box");
  REQUIRE(configure.env().at("COLOR") == "blue");
  REQUIRE(configure.env().at("CAPSEM_VM_ID") == "abcdefghijkl");
  REQUIRE(configure.env().at("CAPSEM_VM_NAME") == "box");
  REQUIRE(configure.entropy().size() == 32);
  line.guest.HangUp();
  REQUIRE(line.loop.RunUntil([&] { return !line.session->link_up(); }));
  line.Connect();
  line.loop.RunReady();
  REQUIRE(line.guest.control.size() == 1);
}

TEST_CASE("a command's output comes in order and its exit last") {
  Line line;
  line.Connect();
  Heard heard;
  REQUIRE_OK(line.session->Exec(Command("true"), heard.Sink()));
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  const auto channel = line.guest.opened[0];
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.mux().Readable(channel).empty(); }));
  capsem::guest::v1::ExecStart start;
  REQUIRE(start.ParseFromString(line.guest.Take(channel)->second));
  REQUIRE(start.argv(0) == "true");
  line.guest.Send(channel, FrameKind::kExecStarted, "");
  line.guest.Send(channel, FrameKind::kExecStdout, "one ");
  line.guest.Send(channel, FrameKind::kExecStderr, "oops");
  line.guest.Send(channel, FrameKind::kExecStdout, "two");
  line.guest.SendExit(channel, 42);
  REQUIRE(line.loop.RunUntil([&] { return heard.ends == 1; }));
  REQUIRE(heard.output == "one two");
  REQUIRE(heard.errors == "oops");
  REQUIRE(heard.exit == 42u);
  REQUIRE_OK(heard.end);
}

TEST_CASE("a full sink holds the channel's credit and loses nothing") {
  Line line;
  line.Connect();
  Heard heard;
  const auto run = VALUE_OF(line.session->Exec(Command("yes"), heard.Sink(1)));
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  const auto channel = line.guest.opened[0];
  const std::string frame = wire::EncodeFrame(FrameKind::kExecStdout, std::string(60000, 'y'));
  size_t written = 0;
  const auto fill = [&] {
    size_t taken = 0;
    do {
      taken =
          line.guest.mux().Write(channel, std::string_view(frame).substr(written % frame.size()));
      written += taken;
    } while (taken > 0);
  };
  fill();
  line.loop.RunReady();
  fill();
  line.loop.RunReady();
  REQUIRE(written <= wire::kChannelWindow + frame.size());
  REQUIRE(heard.output.size() == 60000);
  heard.left = 1 << 30;
  run->SinkReady();
  REQUIRE(
      line.loop.RunUntil([&] { return heard.output.size() >= written / frame.size() * 60000; }));
}

TEST_CASE("a signal that comes before the command has started waits for it") {
  Line line;
  line.Connect();
  REQUIRE(line.loop.RunUntil([&] { return line.configured; }));
  Heard heard;
  const auto run = VALUE_OF(line.session->Exec(Command("sleep"), heard.Sink()));
  REQUIRE_OK(line.session->Signal(run->id(), 9));
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  line.loop.RunReady();
  REQUIRE(line.guest.control.size() == 1);
  line.guest.Send(line.guest.opened[0], FrameKind::kExecStarted, "");
  REQUIRE(line.loop.RunUntil([&] { return line.guest.control.size() == 2; }));
  REQUIRE(line.guest.control[1].signal().exec() == run->id());
  REQUIRE(line.guest.control[1].signal().signal() == 9);
  REQUIRE_CODE(line.session->Signal(run->id() + 1, 9), kNotFound);
}

TEST_CASE("a command does not notice that its connection was cut, nor that the link was rebuilt") {
  const bool rebuild = GENERATE(false, true);
  Line line;
  const TempDir dir;
  line.Connect();
  Heard heard;
  REQUIRE_OK(line.session->Exec(Command("cat"), heard.Sink()));
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  const auto channel = line.guest.opened[0];
  line.guest.Send(channel, FrameKind::kExecStdout, "before ");
  REQUIRE(line.loop.RunUntil([&] { return heard.output == "before "; }));
  line.guest.HangUp();
  REQUIRE(line.loop.RunUntil([&] { return !line.session->link_up(); }));
  line.guest.Send(channel, FrameKind::kExecStdout, "meanwhile ");
  if (rebuild) REQUIRE_OK(line.session->RebuildLink(dir / "link.state"));
  line.Connect();
  line.guest.SendExit(channel, 0);
  REQUIRE(line.loop.RunUntil([&] { return heard.ends == 1; }));
  REQUIRE(heard.output == "before meanwhile ");
  REQUIRE(heard.exit == 0u);
}

TEST_CASE("whatever a guest does wrong, every command ends exactly once and the session survives") {
  const int wrong = GENERATE(0, 1, 2, 3, 4);
  Line line;
  line.Connect();
  Heard heard;
  REQUIRE_OK(line.session->Exec(Command("x"), heard.Sink()));
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  const auto channel = line.guest.opened[0];
  switch (wrong) {
    case 0: line.guest.mux().Reset(channel); break;
    case 1: line.guest.mux().Finish(channel); break;
    case 2: line.guest.Send(channel, FrameKind::kExecStdin, "not its to send"); break;
    case 3: line.guest.Send(channel, FrameKind::kExecExit, "\xff\xff no protobuf"); break;
    case 4: line.guest.mux().Write(channel, std::string("\xff\xff\xff\xff\x05", 5)); break;
  }
  REQUIRE(line.loop.RunUntil([&] { return heard.ends == 1; }));
  REQUIRE_FALSE(heard.end.ok());
  line.session->Fail(Unavailable("gone"));
  line.loop.RunReady();
  REQUIRE(heard.ends == 1);
  REQUIRE_OK(line.broken);
}

TEST_CASE("the machine's end ends every command with its reason") {
  Line line;
  Heard first, second;
  REQUIRE_OK(line.session->Exec(Command("a"), first.Sink()));
  REQUIRE_OK(line.session->Exec(Command("b"), second.Sink()));
  line.session->Fail(Unavailable("QEMU was killed"));
  REQUIRE(first.ends + second.ends == 2);
  REQUIRE(std::string(Message(first.end)) == "QEMU was killed");
}

TEST_CASE("one command more than may run at once is refused with the number") {
  Line line;
  std::vector<std::unique_ptr<Heard>> heard;
  for (size_t i = 0; i < wire::kMaxExecs; ++i) {
    REQUIRE_OK(
        line.session->Exec(Command("x"), heard.emplace_back(std::make_unique<Heard>())->Sink()));
  }
  Heard refused;
  const auto status = line.session->Exec(Command("x"), refused.Sink()).status();
  REQUIRE_CODE(status, kResourceExhausted);
  REQUIRE(std::string(Message(status)).find("1000") != std::string::npos);
}

TEST_CASE("the end of a stdin that is not open is not worth a frame") {
  Line line;
  line.Connect();
  Heard heard;
  const auto run = VALUE_OF(line.session->Exec(Command("true"), heard.Sink()));
  run->FinishStdin();
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  line.loop.RunReady();
  const auto channel = line.guest.opened[0];
  REQUIRE(line.guest.Take(channel)->first == FrameKind::kExecStart);
  REQUIRE_FALSE(line.guest.Take(channel));
}

TEST_CASE("stdin passes in order, and says when there is room again, also over a rebuilt link") {
  const bool rebuild = GENERATE(false, true);
  const TempDir dir;
  Line line;
  line.Connect();
  Heard heard;
  auto cat = Command("cat");
  cat.set_stdin_open(true);
  const auto run = VALUE_OF(line.session->Exec(cat, heard.Sink()));
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  const auto channel = line.guest.opened[0];
  bool started = false;
  REQUIRE(line.loop.RunUntil(
      [&] { return started = started || line.guest.Take(channel).has_value(); }));
  constexpr size_t kBytes = wire::kChannelWindow + wire::kChannelWindow / 2;
  REQUIRE_FALSE(run->WriteStdin(std::string(kBytes, 'i')));
  run->FinishStdin();
  if (rebuild) {
    line.guest.HangUp();
    REQUIRE(line.loop.RunUntil([&] { return !line.session->link_up(); }));
    REQUIRE_OK(line.session->RebuildLink(dir / "link.state"));
    line.Connect();
  }
  size_t got = 0;
  bool eof = false;
  REQUIRE(line.loop.RunUntil([&] {
    while (const auto frame = line.guest.Take(channel)) {
      got += frame->second.size();
      eof = frame->first == FrameKind::kExecStdinEof;
    }
    return eof;
  }));
  REQUIRE(got == kBytes);
  REQUIRE(heard.stdin_ready == 1);
}

}  // namespace
}  // namespace capsem::process
