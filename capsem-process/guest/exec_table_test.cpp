#include "guest/exec_table.h"

#include "testing/guest_line.h"

namespace capsem::process {
namespace {

using wire::FrameKind;

// The channel of the latest command, when the guest has seen it.
wire::ChannelId Opened(Line& line, size_t count = 1) {
  REQUIRE(line.loop.RunUntil([&] { return line.guest.opened.size() == count; }));
  return line.guest.opened.back();
}

ExecTable::Handle Begin(Line& line, Heard& heard) {
  return VALUE_OF(line.execs().Start(Command("x"), heard.Sink()));
}

capsem::v1::ExecAttach From(uint64_t exec, std::optional<uint64_t> offset = {}) {
  capsem::v1::ExecAttach attach;
  attach.set_exec(exec);
  if (offset) attach.set_offset(*offset);
  return attach;
}

}  // namespace

TEST_CASE("a command's output comes in order and its exit last") {
  Line line;
  line.Connect();
  Heard heard;
  const auto heard_exec = VALUE_OF(line.execs().Start(Command("true"), heard.Sink()));
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

TEST_CASE("a full sink holds the command, after what memory takes, and loses nothing") {
  Line line;
  line.Connect();
  Heard heard;
  const auto exec = VALUE_OF(line.execs().Start(Command("yes"), heard.Sink(1)));
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
  for (size_t before = SIZE_MAX; before != written;) {
    before = written;
    fill();
    line.loop.RunReady();
  }
  REQUIRE(written > wire::kExecSpoolMemory);
  REQUIRE(written <= wire::kExecSpoolMemory + wire::kChannelWindow + 3 * frame.size());
  REQUIRE(heard.output.size() == 60000);
  heard.left = 1 << 30;
  exec.reader->Ready();
  REQUIRE(
      line.loop.RunUntil([&] { return heard.output.size() >= written / frame.size() * 60000; }));
}

TEST_CASE("a signal that comes before the command has started waits for it") {
  Line line;
  line.Connect();
  REQUIRE(line.loop.RunUntil([&] { return line.configured; }));
  Heard heard;
  const auto exec = VALUE_OF(line.execs().Start(Command("sleep"), heard.Sink()));
  REQUIRE_OK(line.execs().Signal(exec.id, 9));
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  line.loop.RunReady();
  REQUIRE(line.guest.control.size() == 1);
  line.guest.Send(line.guest.opened[0], FrameKind::kExecStarted, "");
  REQUIRE(line.loop.RunUntil([&] { return line.guest.control.size() == 2; }));
  REQUIRE(line.guest.control[1].signal().exec() == exec.id);
  REQUIRE(line.guest.control[1].signal().signal() == 9);
  REQUIRE_CODE(line.execs().Signal(exec.id + 1, 9), kNotFound);
}

TEST_CASE("a command does not notice that its connection was cut, nor that the link was rebuilt") {
  const bool rebuild = GENERATE(false, true);
  Line line;
  const TempDir dir;
  line.Connect();
  Heard heard;
  const auto heard_exec = VALUE_OF(line.execs().Start(Command("cat"), heard.Sink()));
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
  const auto heard_exec = VALUE_OF(line.execs().Start(Command("x"), heard.Sink()));
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
  const auto first_exec = VALUE_OF(line.execs().Start(Command("a"), first.Sink()));
  const auto second_exec = VALUE_OF(line.execs().Start(Command("b"), second.Sink()));
  line.session->Fail(Unavailable("QEMU was killed"));
  REQUIRE(first.ends + second.ends == 2);
  REQUIRE(std::string(Message(first.end)) == "QEMU was killed");
}

TEST_CASE("one command more than may run at once is refused with the number") {
  Line line;
  std::vector<std::unique_ptr<Heard>> heard;
  std::vector<ExecTable::Handle> execs;
  for (size_t i = 0; i < wire::kMaxExecs; ++i) {
    auto& one = heard.emplace_back(std::make_unique<Heard>());
    execs.push_back(VALUE_OF(line.execs().Start(Command("x"), one->Sink())));
  }
  Heard refused;
  const auto status = line.execs().Start(Command("x"), refused.Sink()).status();
  REQUIRE_CODE(status, kResourceExhausted);
  REQUIRE(std::string(Message(status)).find("1000") != std::string::npos);
}

TEST_CASE("the end of a stdin that is not open is not worth a frame") {
  Line line;
  line.Connect();
  Heard heard;
  const auto exec = VALUE_OF(line.execs().Start(Command("true"), heard.Sink()));
  exec.run->FinishStdin();
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
  const auto exec = VALUE_OF(line.execs().Start(cat, heard.Sink()));
  REQUIRE(line.loop.RunUntil([&] { return !line.guest.opened.empty(); }));
  const auto channel = line.guest.opened[0];
  bool started = false;
  REQUIRE(line.loop.RunUntil(
      [&] { return started = started || line.guest.Take(channel).has_value(); }));
  constexpr size_t kBytes = wire::kChannelWindow + wire::kChannelWindow / 2;
  REQUIRE_FALSE(exec.run->WriteStdin(std::string(kBytes, 'i')));
  exec.run->FinishStdin();
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

TEST_CASE("a command whose reader left goes on, and another one reads all of it") {
  Line line;
  line.Connect();
  Heard first, second;
  auto exec = Begin(line, first);
  const auto channel = Opened(line);
  line.guest.Send(channel, FrameKind::kExecStdout, "one ");
  REQUIRE(line.loop.RunUntil([&] { return first.output == "one "; }));
  exec.reader = nullptr;
  line.guest.Send(channel, FrameKind::kExecStdout, "two ");
  line.loop.RunReady();
  const auto again = VALUE_OF(line.execs().Attach(From(exec.id, 2), second.Sink()));
  REQUIRE(again.run);
  line.guest.SendExit(channel, 3);
  REQUIRE(line.loop.RunUntil([&] { return second.ends == 1; }));
  REQUIRE(second.output == "e two ");
  REQUIRE(second.offsets.front() == 2);
  REQUIRE(second.exit == 3u);
  REQUIRE(first.output == "one ");
  REQUIRE(first.ends == 0);
}

TEST_CASE("a command that has ended still gives its output and its exit") {
  Line line;
  line.Connect();
  Heard first, second;
  auto exec = Begin(line, first);
  const auto channel = Opened(line);
  line.guest.Send(channel, FrameKind::kExecStderr, "oops");
  line.guest.SendExit(channel, 1);
  REQUIRE(line.loop.RunUntil([&] { return first.ends == 1; }));
  line.loop.RunReady();
  const auto again = VALUE_OF(line.execs().Attach(From(exec.id), second.Sink()));
  REQUIRE_FALSE(again.run);
  REQUIRE(line.loop.RunUntil([&] { return second.ends == 1; }));
  REQUIRE(second.errors == "oops");
  REQUIRE(second.exit == 1u);
  const auto list = line.execs().List();
  REQUIRE(list.execs_size() == 1);
  REQUIRE(list.execs(0).state() == capsem::v1::EXEC_STATE_EXITED);
  REQUIRE(list.execs(0).end_offset() == 4);
  REQUIRE_CODE(line.execs().Signal(exec.id, 9), kNotFound);
}

TEST_CASE("a command that was lost says why to whoever asks later") {
  Line line;
  Heard first, second;
  auto exec = Begin(line, first);
  line.session->Fail(Unavailable("QEMU was killed"));
  REQUIRE(first.ends == 1);
  const auto again = VALUE_OF(line.execs().Attach(From(exec.id), second.Sink()));
  REQUIRE(line.loop.RunUntil([&] { return second.ends == 1; }));
  REQUIRE(std::string(Message(second.end)) == "QEMU was killed");
  REQUIRE(line.execs().List().execs(0).reason() == "QEMU was killed");
}

TEST_CASE("what is not there, or not any more, is said") {
  Line line;
  line.Connect();
  Heard heard;
  auto exec = Begin(line, heard);
  REQUIRE_CODE(line.execs().Attach(From(exec.id + 1), Heard().Sink()).status(), kNotFound);
  const Status beyond = line.execs().Attach(From(exec.id, 1), Heard().Sink()).status();
  REQUIRE_CODE(beyond, kOutOfRange);
  REQUIRE(Remedy(beyond).find("from 0 on") != std::string_view::npos);
}

TEST_CASE("as many have ended as are kept, and the oldest that nobody reads is forgotten") {
  Line line;
  line.Connect();
  std::vector<std::unique_ptr<Heard>> heard;
  std::vector<ExecTable::Handle> execs;
  for (size_t i = 0; i < wire::kFinishedExecs + 2; ++i) {
    execs.push_back(Begin(line, *heard.emplace_back(std::make_unique<Heard>())));
    if (i != 1) execs.back().reader = nullptr;
    const auto channel = Opened(line, i + 1);
    line.guest.SendExit(channel, 0);
    REQUIRE(line.loop.RunUntil([&] { return !execs.back().run; }));
  }
  const auto list = line.execs().List();
  REQUIRE(list.execs_size() == wire::kFinishedExecs);
  // The first is gone; the second is read; so the third went.
  REQUIRE(list.execs(0).exec() == execs[1].id);
  REQUIRE(list.execs(1).exec() == execs[3].id);
}

TEST_CASE("where much was printed, fewer that have ended are kept than 256") {
  constexpr uint64_t kFull = wire::kExecSpool;
  constexpr uint64_t kFits = wire::kFinishedSpools / kFull;
  std::vector<EndedExec> ended;
  for (uint64_t id = 1; id <= kFits; ++id) ended.push_back({id, kFull, false});
  REQUIRE(TooOld(ended).empty());
  ended.push_back({kFits + 1, kFull, false});
  REQUIRE(TooOld(ended) == std::vector<uint64_t>{1});
  // One that is read stays, and the next goes in its place; one without a file makes no room.
  ended[0].has_readers = true;
  ended[1].file_bytes = 0;
  ended.push_back({kFits + 2, kFull, false});
  REQUIRE(TooOld(ended) == std::vector<uint64_t>{2, 3});
}

TEST_CASE("a terminal or a user is not asked of a guest that does not know of them") {
  const bool terminal = GENERATE(true, false);
  Line line;
  auto start = Command("x");
  if (terminal) start.mutable_pty();
  if (!terminal) start.set_uid(1000);
  REQUIRE_CODE(line.execs().Start(start, Heard().Sink()).status(), kFailedPrecondition);
  line.Connect();
  REQUIRE_OK(line.execs().Start(start, Heard().Sink()).status());
}

}  // namespace capsem::process
