#include "wire/mux_channel.h"

#include "base/testing/status_matchers.h"

namespace capsem::wire {
namespace {

TEST_CASE("a queue hands out what was appended, in order") {
  ByteQueue queue;
  queue.Append("abc");
  queue.Append("def");
  queue.Drop(2);
  queue.Append("ghi");
  REQUIRE(queue.view() == "cdefghi");
  queue.Drop(7);
  REQUIRE(queue.empty());
  queue.Append("x");
  REQUIRE(queue.view() == "x");
}

TEST_CASE("lent bytes are copied when they are kept, and only what is left of them") {
  ByteQueue queue;
  std::string lender = "abcdef";
  queue.Lend(lender);
  REQUIRE(queue.view().data() == lender.data());
  queue.Drop(2);
  queue.Keep();
  lender = "??????";
  REQUIRE(queue.view() == "cdef");
  SECTION("to a queue that has some, they are appended") {
    queue.Lend("gh");
    REQUIRE(queue.view() == "cdefgh");
    queue.Drop(5);
    queue.Keep();
    REQUIRE(queue.view() == "h");
  }
  SECTION("what comes after them keeps them") {
    queue.Drop(4);
    queue.Lend("x");
    queue.Append("y");
    REQUIRE(queue.view() == "xy");
  }
  SECTION("all of them may be dropped") {
    queue.Drop(4);
    queue.Lend("x");
    queue.Drop(1);
    queue.Keep();
    REQUIRE(queue.empty());
  }
}

TEST_CASE("dropping bytes one by one moves what is left only a few times") {
  ByteQueue queue;
  queue.Append(std::string(100'000, 'x'));
  size_t moves = 0;
  while (queue.size() > 1) {
    const char* expected = queue.view().data() + 1;
    queue.Drop(1);
    if (queue.view().data() != expected) ++moves;
  }
  REQUIRE(moves < 20);
}

TEST_CASE("an acknowledged offset frees bytes, and the FIN counts as one more") {
  BlockPool pool;
  MuxChannel channel{1, ChannelKind::kExec, true, BlockQueue(pool)};
  channel.out.Append("12345");
  channel.sent = 5;
  channel.finished = channel.fin_sent = true;
  REQUIRE(channel.sent_end() == 6);
  channel.Acknowledge(3);
  REQUIRE(channel.out.All() == "45");
  REQUIRE(channel.written() == 5);
  channel.Acknowledge(5);
  REQUIRE_FALSE(channel.fin_acked);
  channel.Acknowledge(6);
  REQUIRE(channel.fin_acked);
  REQUIRE(channel.acked_end() == 6);
}

TEST_CASE("the shares of all channels fit into what one link may have in flight") {
  STATIC_REQUIRE(kInFlightPool + 2 * kMaxChannels * kInFlightReserve <= kMaxInFlight);
  STATIC_REQUIRE(PoolCharge(kInFlightReserve) == 0);
  STATIC_REQUIRE(PoolCharge(kInFlightReserve + 1) == 1);
}

}  // namespace
}  // namespace capsem::wire
