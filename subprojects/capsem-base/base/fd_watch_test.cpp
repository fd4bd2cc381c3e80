#include "base/fd_watch.h"

#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem {

TEST_CASE("bytes and the end are both found when the peer left without reading all") {
  TestLoop loop;
  auto [ours, theirs] = VALUE_OF(SocketPair());
  REQUIRE(write(ours.get(), "unread", 6) == 6);
  REQUIRE(write(theirs.get(), "last words", 10) == 10);
  theirs.Reset();
  std::string heard;
  bool ended = false;
  FdWatch watch(loop, ours.get(), [&](int) {
    char byte;
    if (recv(ours.get(), &byte, 1, MSG_DONTWAIT) == 1) {
      heard += byte;
    } else {
      ended = true;
    }
  });
  watch.Want(FdWatch::kReadable);
  REQUIRE(loop.RunUntil([&] { return ended; }));
  REQUIRE(heard == "last words");
}

TEST_CASE("a paused watch is silent until it is wanted again") {
  TestLoop loop;
  auto [ours, theirs] = VALUE_OF(SocketPair());
  int calls = 0;
  FdWatch watch(loop, ours.get(), [&](int) {
    ++calls;
    watch.Want(0);
  });
  watch.Want(FdWatch::kReadable);
  REQUIRE(write(theirs.get(), "x", 1) == 1);
  REQUIRE(loop.RunUntil([&] { return calls == 1; }));
  loop.RunReady();
  REQUIRE(calls == 1);
  watch.Want(FdWatch::kReadable);
  REQUIRE(loop.RunUntil([&] { return calls == 2; }));
}

TEST_CASE("a watch may be destroyed by its own callback") {
  TestLoop loop;
  auto [ours, theirs] = VALUE_OF(SocketPair());
  std::unique_ptr<FdWatch> watch;
  watch = std::make_unique<FdWatch>(loop, theirs.get(), [&](int) { watch.reset(); });
  watch->Want(FdWatch::kReadable | FdWatch::kWritable);
  REQUIRE(loop.RunUntil([&] { return watch == nullptr; }));
}

}  // namespace capsem
