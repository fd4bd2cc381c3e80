#include "base/timer.h"

#include <memory>
#include <string>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST_CASE("timers fire in the order of their delays, each once") {
  TestLoop loop;
  std::string order;
  Timer slow(loop), fast(loop), now(loop), past(loop);
  slow.Start(milliseconds(30), [&] { order += "s"; });
  fast.Start(milliseconds(10), [&] { order += "f"; });
  now.Start(milliseconds(0), [&] { order += "n"; });
  past.Start(milliseconds(-5), [&] { order += "p"; });
  REQUIRE(order.empty());
  REQUIRE(loop.RunUntil([&] { return order.size() == 4; }));
  REQUIRE(order == "npfs");
  REQUIRE_FALSE(slow.active());
  loop.RunReady();
  REQUIRE(order.size() == 4);
}

TEST_CASE("a cancelled, replaced or destroyed timer does not fire") {
  TestLoop loop;
  bool wrong = false, end = false;
  const auto fail = [&] { wrong = true; };
  Timer cancelled(loop), replaced(loop), last(loop);
  auto destroyed = std::make_unique<Timer>(loop);
  cancelled.Start(milliseconds(1), fail);
  replaced.Start(milliseconds(1), fail);
  destroyed->Start(milliseconds(1), fail);
  REQUIRE(cancelled.active());
  cancelled.Cancel();
  REQUIRE_FALSE(cancelled.active());
  replaced.Start(hours(1), fail);
  destroyed.reset();
  last.Start(milliseconds(20), [&] { end = true; });
  REQUIRE(loop.RunUntil([&] { return end; }));
  REQUIRE_FALSE(wrong);
}

TEST_CASE("cancelling frees what the task holds") {
  TestLoop loop;
  const auto held = std::make_shared<int>(1);
  Timer timer(loop);
  timer.Start(hours(1), [held] {});
  REQUIRE(held.use_count() == 2);
  timer.Cancel();
  REQUIRE(held.use_count() == 1);
}

TEST_CASE("a repeating timer repeats until it is cancelled, also from within") {
  TestLoop loop;
  int fired = 0;
  Timer timer(loop);
  timer.StartRepeating(milliseconds(1), [&] {
    if (++fired == 3) timer.Cancel();
  });
  REQUIRE(loop.RunUntil([&] { return fired == 3; }));
  REQUIRE_FALSE(timer.active());
  bool later = false;
  Timer end(loop);
  end.Start(milliseconds(10), [&] { later = true; });
  REQUIRE(loop.RunUntil([&] { return later; }));
  REQUIRE(fired == 3);
}

TEST_CASE("a timer may be started anew from its own task") {
  const bool repeating = GENERATE(false, true);
  TestLoop loop;
  std::string order;
  Timer timer(loop);
  const auto first = [&] {
    order += "a";
    timer.Start(milliseconds(1), [&] { order += "b"; });
  };
  if (repeating)
    timer.StartRepeating(milliseconds(1), first);
  else
    timer.Start(milliseconds(1), first);
  REQUIRE(loop.RunUntil([&] { return order.size() >= 2; }));
  Timer end(loop);
  bool ended = false;
  end.Start(milliseconds(10), [&] { ended = true; });
  REQUIRE(loop.RunUntil([&] { return ended; }));
  REQUIRE(order == "ab");
}

TEST_CASE("a timer may be destroyed by its own task") {
  const bool repeating = GENERATE(false, true);
  TestLoop loop;
  int fired = 0;
  auto timer = std::make_unique<Timer>(loop);
  const auto held = std::make_shared<int>(1);
  const auto task = [&, held] {
    timer.reset();
    fired += *held;  // the task itself lives to its end
  };
  if (repeating)
    timer->StartRepeating(milliseconds(1), task);
  else
    timer->Start(milliseconds(1), task);
  REQUIRE(loop.RunUntil([&] { return fired == 1; }));
  loop.RunReady();
  REQUIRE(fired == 1);
}

}  // namespace
}  // namespace capsem
