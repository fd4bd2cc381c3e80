#include "vsock/vsock_stream.h"

#include <sys/socket.h>

#include <string>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

struct Fixture {
  Fixture() {
    auto [mine, peer_end] = VALUE_OF(SocketPair());
    peer = std::move(peer_end);
    stream = std::make_unique<VsockStream>(loop, std::move(mine),
                                           [this](int events) { heard |= events; });
  }
  std::string ReadPeer() {
    std::string all(1 << 20, '\0');
    const ssize_t count = recv(peer.get(), all.data(), all.size(), MSG_DONTWAIT);
    all.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return all;
  }
  TestLoop loop;
  UniqueFd peer;
  std::unique_ptr<VsockStream> stream;
  int heard = 0;
};

iovec PieceOf(std::string& text) { return {text.data(), text.size()}; }

TEST_CASE("bytes of several pieces arrive in order") {
  Fixture fixture;
  std::string one = "one ", two = "two";
  iovec pieces[] = {PieceOf(one), PieceOf(two)};
  REQUIRE(VALUE_OF(fixture.stream->Write(pieces)) == 7);
  REQUIRE(fixture.ReadPeer() == "one two");
  REQUIRE(!fixture.stream->keeps());
}

TEST_CASE("what the socket does not take is kept, in order, and sent when there is room") {
  Fixture fixture;
  std::string sent, received;
  size_t left = 0;
  for (int round = 0; round < 200; ++round) {
    std::string text(5000 + round, static_cast<char>('a' + round % 26));
    sent += text;
    // Cut in two, so that what is kept may begin in the middle of either piece.
    iovec pieces[] = {{text.data(), 3000}, {text.data() + 3000, text.size() - 3000}};
    left += VALUE_OF(fixture.stream->Write(pieces));
  }
  REQUIRE(fixture.stream->keeps());
  REQUIRE(left < sent.size());
  fixture.stream->Want(FdWatch::kWritable);
  while (fixture.stream->keeps()) {
    received += fixture.ReadPeer();
    fixture.loop.RunReady();
    REQUIRE(std::exchange(fixture.heard, 0) == FdWatch::kWritable);
    left += VALUE_OF(fixture.stream->Flush());
  }
  for (std::string more = fixture.ReadPeer(); !more.empty(); more = fixture.ReadPeer())
    received += more;
  REQUIRE(left == sent.size());
  REQUIRE(received == sent);
  REQUIRE(VALUE_OF(fixture.stream->Flush()) == 0);
}

TEST_CASE("a read fills the pieces, says that nothing is there, and says that it is the end") {
  Fixture fixture;
  std::string one(3, '\0'), two(100, '\0');
  iovec pieces[] = {PieceOf(one), PieceOf(two)};
  auto result = VALUE_OF(fixture.stream->Read(pieces));
  REQUIRE(result.bytes == 0);
  REQUIRE(!result.end);
  REQUIRE(send(fixture.peer.get(), "hello", 5, 0) == 5);
  REQUIRE(VALUE_OF(fixture.stream->Read(pieces)).bytes == 5);
  REQUIRE(one == "hel");
  REQUIRE(two.substr(0, 2) == "lo");
  fixture.peer.Reset();
  result = VALUE_OF(fixture.stream->Read(pieces));
  REQUIRE(result.bytes == 0);
  REQUIRE(result.end);
}

TEST_CASE("a stream whose peer is gone is an error, not a signal") {
  Fixture fixture;
  fixture.peer.Reset();
  std::string text = "x";
  iovec piece = PieceOf(text);
  REQUIRE_CODE(fixture.stream->Write({&piece, 1}), kUnavailable);
  // An empty packet asks nothing of the socket.
  REQUIRE(VALUE_OF(fixture.stream->Write({})) == 0);
}

TEST_CASE("each half ends alone") {
  Fixture fixture;
  fixture.stream->FinishWriting();
  fixture.stream->FinishWriting();
  char byte;
  REQUIRE(recv(fixture.peer.get(), &byte, 1, 0) == 0);
  REQUIRE(send(fixture.peer.get(), "x", 1, MSG_NOSIGNAL) == 1);
  fixture.stream->FinishReading();
  REQUIRE(send(fixture.peer.get(), "x", 1, MSG_NOSIGNAL) == -1);
}

TEST_CASE("a stream may be destroyed by the event that it told") {
  TestLoop loop;
  auto [mine, peer] = VALUE_OF(SocketPair());
  std::unique_ptr<VsockStream> stream;
  stream = std::make_unique<VsockStream>(loop, std::move(mine), [&](int) { stream.reset(); });
  stream->Want(FdWatch::kReadable);
  REQUIRE(send(peer.get(), "x", 1, 0) == 1);
  REQUIRE(loop.RunUntil([&] { return !stream; }));
}

}  // namespace
}  // namespace capsem::process
