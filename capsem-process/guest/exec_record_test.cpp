#include "guest/exec_record.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

using capsem::v1::ExecEvent;
using capsem::v1::ExecStart;

struct Fixture {
  explicit Fixture(const ExecStart& start = {})
      : record(loop, 7, start, SpoolPlace{dir / "spools/7"}, [this] { ++rooms; }) {}
  // Adds as a command does that is held when it must be; how much of it was taken.
  size_t Fill(size_t bytes) {
    const std::string piece(64 * 1024, 'x');
    size_t added = 0;
    while (added < bytes) {
      REQUIRE(loop.RunUntil([&] { return record.takes() || FileIsDone(); }));
      if (!record.takes()) break;
      record.Add(OutputStream::kStdout, piece);
      added += piece.size();
    }
    return added;
  }
  // What does not stay in memory has been written: if it is held, it is not for the file's sake.
  bool FileIsDone() const {
    const auto info = record.Info();
    return record.file_bytes() + wire::kExecSpoolMemory * 3 / 2 >=
           info.end_offset() - info.first_offset();
  }

  TestLoop loop;
  const TempDir dir;
  int rooms = 0;
  ExecRecord record;
};

// A reader that takes `room` events.
struct Reader {
  explicit Reader(Fixture& fixture, std::optional<uint64_t> offset = {}, int room = 1 << 30)
      : left(room),
        reader(VALUE_OF(fixture.record.Attach(
            offset, {.on_event = [this](const ExecEvent& event) { return Take(event); },
                     .on_stdin_ready = [] {},
                     .on_end = [this](Status status) { end = std::move(status); }}))) {}
  bool Take(const ExecEvent& event) {
    if (event.has_stdout() || event.has_stderr()) {
      sizes.push_back(event.stdout().size() + event.stderr().size());
    }
    bytes += event.stdout().size() + event.stderr().size();
    dropped += event.dropped();
    exited = exited || event.has_exit();
    return --left > 0;
  }
  std::vector<size_t> sizes;  // of each event with output
  size_t bytes = 0;
  uint64_t dropped = 0;
  bool exited = false;
  int left;
  std::optional<Status> end;
  std::unique_ptr<ExecReader> reader;
};

ExecStart Dropping() {
  ExecStart start;
  start.set_when_full(capsem::v1::WHEN_FULL_DROP);
  return start;
}

}  // namespace

TEST_CASE("without a reader a command fills its spool and is held, until somebody reads") {
  Fixture test;
  const size_t kept = test.Fill(100u << 20);
  REQUIRE(kept < 65u << 20);
  REQUIRE(kept > 60u << 20);
  REQUIRE(test.record.Info().held());
  const int before = test.rooms;
  Reader reader(test);
  REQUIRE(test.loop.RunUntil([&] { return reader.bytes == kept && test.rooms > before; }));
  REQUIRE(test.record.takes());
  REQUIRE_FALSE(test.record.Info().held());
  REQUIRE(reader.dropped == 0);
}

TEST_CASE("a command that waits until its file is written is not held: no reader would help") {
  Fixture test;
  size_t added = 0;  // the loop does not turn, so nothing is written
  while (test.record.takes()) {
    test.record.Add(OutputStream::kStdout, std::string(64 * 1024, 'x'));
    added += 64 * 1024;
    REQUIRE(added < wire::kExecSpool);
  }
  REQUIRE_FALSE(test.record.Info().held());
  REQUIRE(test.loop.RunUntil([&] { return test.rooms == 1; }));
  REQUIRE_FALSE(test.record.Info().held());
}

TEST_CASE("a held command that gets a signal may say what was on its way, and no more") {
  Fixture test;
  test.Fill(100u << 20);
  const int before = test.rooms;
  test.record.OnSignal();
  REQUIRE(test.rooms == before + 1);
  const size_t more = test.Fill(100u << 20);
  REQUIRE(more >= wire::kChannelWindow);
  REQUIRE(more < 4u << 20);
  REQUIRE(test.record.Info().first_offset() == 0);
}

TEST_CASE("a command that may drop is never held without a reader, and tells how much is gone") {
  Fixture test(Dropping());
  REQUIRE(test.Fill(70u << 20) == 70u << 20);
  const auto info = test.record.Info();
  REQUIRE(info.first_offset() > 5u << 20);
  Reader reader(test);
  REQUIRE(test.loop.RunUntil([&] { return reader.bytes == (70u << 20) - info.first_offset(); }));
  REQUIRE(reader.dropped == info.first_offset());
  const Status gone = test.record.Attach(0, {}).status();
  REQUIRE_CODE(gone, kOutOfRange);
  REQUIRE(Message(gone).find(std::to_string(info.first_offset())) != std::string_view::npos);
}

TEST_CASE("a reader that does not read on holds the command, even one that may drop") {
  const bool drops = GENERATE(false, true);
  Fixture test(drops ? Dropping() : ExecStart());
  Reader quick(test);
  Reader slow(test, {}, 1);
  const size_t taken = test.Fill(100u << 20);
  REQUIRE(taken <= (1u << 20) + 3 * 65536);
  REQUIRE(test.loop.RunUntil([&] { return quick.bytes == taken; }));
  slow.left = 1 << 30;
  slow.reader->Ready();
  REQUIRE(test.rooms == 1);
  REQUIRE(test.loop.RunUntil([&] { return slow.bytes == taken; }));
  slow.reader = nullptr;
  REQUIRE(test.Fill(3u << 20) == 3u << 20);
}

TEST_CASE("a slow reader that leaves lets the command go on") {
  Fixture test;
  auto slow = std::make_unique<Reader>(test, std::nullopt, 1);
  test.Fill(100u << 20);
  REQUIRE(test.rooms == 0);
  slow->reader = nullptr;
  REQUIRE(test.rooms == 1);
}

TEST_CASE("with a reader any amount passes, and the last of it stays") {
  Fixture test;
  Reader reader(test);
  REQUIRE(test.Fill(200u << 20) == 200u << 20);
  REQUIRE(test.loop.RunUntil([&] { return reader.bytes == 200u << 20; }));
  const auto info = test.record.Info();
  REQUIRE(info.end_offset() - info.first_offset() > 60u << 20);
  REQUIRE(info.end_offset() - info.first_offset() <= 64u << 20);
}

TEST_CASE("the exit comes after all output, to each reader once") {
  Fixture test;
  Reader early(test, 0, 1);
  test.record.Add(OutputStream::kStdout, "a");
  test.record.Add(OutputStream::kStderr, "b");
  capsem::v1::ExecExit exit;
  exit.set_code(3);
  test.record.Exit(exit);
  REQUIRE_FALSE(early.exited);
  early.left = 10;
  early.reader->Ready();
  REQUIRE(early.exited);
  REQUIRE(early.bytes == 2);
  Reader late(test, 2);
  REQUIRE(test.loop.RunUntil([&] { return late.end.has_value(); }));
  REQUIRE(late.exited);
  REQUIRE(late.bytes == 0);
}

TEST_CASE("what is there goes in large events, each of one stream") {
  Fixture test;
  for (int i = 0; i < 9; ++i) test.record.Add(OutputStream::kStdout, std::string(60000, 'x'));
  test.record.Add(OutputStream::kStderr, "oops");
  test.record.Add(OutputStream::kStdout, "after");
  test.record.Exit({});
  Reader reader(test);
  REQUIRE(test.loop.RunUntil([&] { return reader.exited; }));
  REQUIRE(reader.sizes ==
          std::vector<size_t>{256 * 1024, 256 * 1024, 9 * 60000 - 512 * 1024, 4, 5});
}

TEST_CASE("little output goes at once, and so does the first of much") {
  Fixture test;
  Reader reader(test);
  std::vector<size_t> sizes;
  for (const size_t size : {1, 15000, 3, 64000}) {
    test.record.Add(OutputStream::kStdout, std::string(size, 'x'));
    sizes.push_back(size);
    REQUIRE(reader.sizes == sizes);
  }
}

TEST_CASE("what follows much is gathered, and holds nobody") {
  Fixture test;
  Reader reader(test);
  test.record.Add(OutputStream::kStdout, std::string(64000, 'x'));
  for (int i = 0; i < 1000; ++i) test.record.Add(OutputStream::kStdout, std::string(100, 'x'));
  REQUIRE(test.record.takes());
  REQUIRE(reader.sizes == std::vector<size_t>{64000});
  SECTION("for a moment") {
    REQUIRE(test.loop.RunUntil([&] { return reader.bytes == 164000; }));
    REQUIRE(reader.sizes == std::vector<size_t>{64000, 100000});
  }
  SECTION("until an event is full") {
    test.record.Add(OutputStream::kStdout, std::string(256 * 1024 - 100000, 'x'));
    REQUIRE(reader.sizes == std::vector<size_t>{64000, 256 * 1024});
  }
  SECTION("until the command ends") {
    test.record.Exit({});
    REQUIRE(reader.sizes == std::vector<size_t>{64000, 100000});
    REQUIRE(reader.exited);
  }
  SECTION("and a reader may leave meanwhile") {
    reader.reader = nullptr;
    Reader other(test);
    REQUIRE(test.loop.RunUntil([&] { return other.bytes == 164000; }));
    REQUIRE(reader.sizes.size() == 1);
  }
}

TEST_CASE("the list shows the beginning of a long command, in whole characters") {
  ExecStart start;
  start.add_argv("echo");
  for (int i = 0; i < 400; ++i) start.add_argv("\u00e4\u00e4\u00e4");
  Fixture many(start);
  REQUIRE(many.record.Info().argv_cut());
  REQUIRE(many.record.Info().argv_size() == 32);
  ExecStart line;
  std::string text = "x";
  for (int i = 0; i < 1000; ++i) text += "\u00e4";
  line.set_shell(text);
  Fixture one(line);
  REQUIRE(one.record.Info().argv_cut());
  const std::string shown = one.record.Info().argv(2);
  REQUIRE(shown.size() > 1000);
  REQUIRE(text.substr(0, shown.size()) == shown);
  REQUIRE((text[shown.size()] & 0xc0) != 0x80);
}

}  // namespace capsem::process
