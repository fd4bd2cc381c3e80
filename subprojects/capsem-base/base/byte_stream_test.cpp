#include "base/byte_stream.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem {
namespace {

// A stream with what it has told, and the plain descriptor at its other end.
struct Ends {
  explicit Ends(TestLoop& the_loop) : loop(the_loop) {
    auto [ours, theirs] = VALUE_OF(SocketPair());
    peer = std::move(theirs);
    stream = std::make_unique<ByteStream>(loop, std::move(ours), MakeEvents());
  }
  ByteStream::Events MakeEvents() {
    ByteStream::Events events;
    events.on_bytes = [this](std::string_view bytes) {
      received += bytes;
      on_event("bytes");
    };
    events.on_drained = [this] {
      ++drained;
      on_event("drained");
    };
    events.on_end = [this](Status status) {
      ended = std::move(status);
      on_event("end");
    };
    return events;
  }
  // All that the peer has got so far.
  std::string ReadPeer() {
    std::string bytes;
    char chunk[65536];
    for (ssize_t count; (count = recv(peer.get(), chunk, sizeof chunk, MSG_DONTWAIT)) > 0;) {
      bytes.append(chunk, static_cast<size_t>(count));
    }
    return bytes;
  }
  void Say(std::string_view bytes) {
    REQUIRE(write(peer.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }

  TestLoop& loop;
  UniqueFd peer;
  std::unique_ptr<ByteStream> stream;
  std::string received;
  int drained = 0;
  std::optional<Status> ended;
  std::function<void(std::string_view)> on_event = [](std::string_view) {};
};

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
  return bytes;
}

TEST_CASE("a write in pieces arrives whole, however many there are and whatever the peer takes") {
  TestLoop loop;
  Ends ends(loop);
  const std::string bytes = Pattern(2 << 20);
  std::vector<std::string_view> pieces = {bytes, "", "the end"};
  for (int i = 0; i < 200; ++i) pieces.push_back("x");
  REQUIRE_FALSE(ends.stream->Write(pieces));
  const std::string wanted = bytes + "the end" + std::string(200, 'x');
  std::string got;
  REQUIRE(loop.RunUntil([&] { return (got += ends.ReadPeer()).size() >= wanted.size(); }));
  REQUIRE(got == wanted);
}

TEST_CASE("bytes go both ways") {
  TestLoop loop;
  Ends ends(loop);
  REQUIRE(ends.stream->Write("out"));
  ends.Say("in");
  REQUIRE(ends.received.empty());  // only from the loop
  REQUIRE(loop.RunUntil([&] { return ends.received == "in"; }));
  REQUIRE(ends.ReadPeer() == "out");
}

TEST_CASE("over the high-water mark Write says so, and on_drained says when it is over") {
  TestLoop loop;
  Ends ends(loop);
  const std::string much = Pattern(4 * ByteStream::kHighWater);
  REQUIRE_FALSE(ends.stream->Write(much));
  REQUIRE(ends.stream->buffered() > ByteStream::kHighWater);
  std::string got;
  REQUIRE(loop.RunUntil([&] {
    got += ends.ReadPeer();
    return ends.drained > 0;
  }));
  got += ends.ReadPeer();
  REQUIRE(got == much);
  REQUIRE(ends.drained == 1);
  REQUIRE(ends.stream->buffered() == 0);
  REQUIRE(ends.stream->Write("more"));
  loop.RunReady();
  REQUIRE(ends.drained == 1);
}

TEST_CASE("with a mark of 0 a write that is not taken whole is over it") {
  TestLoop loop;
  Ends ends(loop);
  ends.stream->SetHighWater(0);
  size_t written = 0;
  while (ends.stream->Write(Pattern(10'000))) {
    REQUIRE(ends.stream->buffered() == 0);
    written += 10'000;
  }
  REQUIRE(written > 0);
  REQUIRE(ends.stream->buffered() <= 10'000);
  REQUIRE(loop.RunUntil([&] {
    ends.ReadPeer();
    return ends.drained > 0;
  }));
  REQUIRE(ends.stream->buffered() == 0);
  REQUIRE(ends.stream->Write("more"));
}

TEST_CASE("a little written by another hand does not make a waiting writer wait for ever") {
  TestLoop loop;
  Ends ends(loop);
  REQUIRE_FALSE(ends.stream->Write(Pattern(4 * ByteStream::kHighWater)));
  // Below the mark, and not yet empty.
  while (ends.stream->buffered() > ByteStream::kHighWater) {
    char chunk[16 * 1024];
    REQUIRE(recv(ends.peer.get(), chunk, sizeof chunk, MSG_DONTWAIT) > 0);
    loop.RunReady();
  }
  REQUIRE(ends.stream->buffered() > 0);
  REQUIRE_FALSE(ends.stream->Write("little"));
  REQUIRE(ends.drained == 0);
  REQUIRE(loop.RunUntil([&] {
    ends.ReadPeer();
    return ends.drained == 1;
  }));
}

TEST_CASE("while reading is paused the peer is held by the kernel's buffer") {
  TestLoop loop;
  Ends ends(loop);
  ends.stream->PauseReading(true);
  ends.Say("wait");
  loop.RunReady();
  REQUIRE(ends.received.empty());
  ends.stream->PauseReading(false);
  REQUIRE(loop.RunUntil([&] { return ends.received == "wait"; }));
}

TEST_CASE("reading may be paused from within on_bytes") {
  TestLoop loop;
  Ends ends(loop);
  ends.on_event = [&](std::string_view) { ends.stream->PauseReading(true); };
  ends.Say(Pattern(100'000));  // more than one chunk
  REQUIRE(loop.RunUntil([&] { return !ends.received.empty(); }));
  loop.RunReady();
  REQUIRE(ends.received.size() <= 65536);
}

TEST_CASE("the peer's end is told once, after its bytes") {
  TestLoop loop;
  Ends ends(loop);
  ends.Say("last words");
  ends.peer.Reset();
  REQUIRE(loop.RunUntil([&] { return ends.ended.has_value(); }));
  REQUIRE_OK(*ends.ended);
  REQUIRE(ends.received == "last words");
  ends.ended.reset();
  REQUIRE(ends.stream->Write("into the void"));
  loop.RunReady();
  REQUIRE_FALSE(ends.ended.has_value());
}

TEST_CASE("FinishWriting sends what was written, then the end; reading goes on") {
  const size_t size = GENERATE(size_t{0}, size_t{5}, 4 * ByteStream::kHighWater);
  TestLoop loop;
  Ends ends(loop);
  const std::string bytes = Pattern(size);
  ends.stream->Write(bytes);
  ends.stream->FinishWriting();
  std::string got;
  REQUIRE(loop.RunUntil([&] {
    got += ends.ReadPeer();
    char byte;
    return got.size() == size && recv(ends.peer.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }));
  REQUIRE(got == bytes);
  ends.Say("answer");
  REQUIRE(loop.RunUntil([&] { return ends.received == "answer"; }));
  REQUIRE_FALSE(ends.ended.has_value());
}

TEST_CASE("a write to a peer that is gone ends the stream, also while reading is paused") {
  TestLoop loop;
  Ends ends(loop);
  ends.stream->PauseReading(true);
  ends.peer.Reset();
  ends.stream->Write("hello?");
  REQUIRE(loop.RunUntil([&] { return ends.ended.has_value(); }));
  REQUIRE_CODE(*ends.ended, kUnavailable);
}

TEST_CASE("a stream may be destroyed from any of its events") {
  const auto event = GENERATE("bytes", "drained", "end");
  INFO(event);
  TestLoop loop;
  Ends ends(loop);
  int calls = 0;
  ends.on_event = [&](std::string_view which) {
    ++calls;
    if (which == event) ends.stream.reset();
  };
  ends.stream->Write(Pattern(4 * ByteStream::kHighWater));
  REQUIRE(loop.RunUntil([&] {
    ends.ReadPeer();
    return ends.stream == nullptr || ends.drained > 0;
  }));
  if (ends.stream != nullptr) {
    ends.Say("bytes");
    ends.peer.Reset();
  }
  REQUIRE(loop.RunUntil([&] { return ends.stream == nullptr; }));
  const int before = calls;
  loop.RunReady();
  REQUIRE(calls == before);
}

TEST_CASE("a stream changes hands from within an event") {
  TestLoop loop;
  Ends ends(loop);
  std::string second;
  ends.on_event = [&](std::string_view) {
    ByteStream::Events events;
    events.on_bytes = [&](std::string_view bytes) { second += bytes; };
    events.on_end = [](Status) {};
    ends.stream->SetEvents(std::move(events));
  };
  ends.Say("one");
  REQUIRE(loop.RunUntil([&] { return ends.received == "one"; }));
  ends.Say("two");
  REQUIRE(loop.RunUntil([&] { return second == "two"; }));
  REQUIRE(ends.received == "one");
}

TEST_CASE("a terminal that its last user has closed has ended without an error") {
  TestLoop loop;
  UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(master.valid());
  REQUIRE(grantpt(master.get()) == 0);
  REQUIRE(unlockpt(master.get()) == 0);
  UniqueFd user(open(ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(user.valid());
  std::string received;
  std::optional<Status> ended;
  ByteStream::Events events;
  events.on_bytes = [&](std::string_view bytes) { received += bytes; };
  events.on_end = [&](Status status) { ended = status; };
  const ByteStream stream(loop, std::move(master), std::move(events));
  REQUIRE(write(user.get(), "$ ", 2) == 2);
  REQUIRE(loop.RunUntil([&] { return received == "$ "; }));
  user.Reset();
  REQUIRE(loop.RunUntil([&] { return ended.has_value(); }));
  REQUIRE_OK(*ended);
}

}  // namespace
}  // namespace capsem
