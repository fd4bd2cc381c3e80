#include "base/turn_end.h"

#include <catch2/catch.hpp>

#include <memory>

#include "base/testing/test_loop.h"

namespace capsem {

TEST_CASE("what is asked for twice in a turn is done once, after what was posted with it") {
  TestLoop loop;
  int done = 0, done_seen = -1;
  TurnEnd end(loop, [&] { ++done; });
  loop.Post([&] { end.Ask(); });
  loop.Post([&] {
    end.Ask();
    done_seen = done;
  });
  REQUIRE(loop.RunUntil([&] { return done > 0; }));
  loop.RunReady();
  REQUIRE(done_seen == 0);
  REQUIRE(done == 1);
}

TEST_CASE("nobody asks, nothing is done") {
  TestLoop loop;
  int done = 0;
  TurnEnd end(loop, [&] { ++done; });
  loop.RunReady();
  REQUIRE(done == 0);
}

TEST_CASE("the loop does not wait before it has done what a timer asked for") {
  TestLoop loop;
  bool done = false;
  TurnEnd end(loop, [&] {
    done = true;
    loop.Stop();
  });
  Timer timer(loop);
  timer.Start(std::chrono::milliseconds(1), [&] { end.Ask(); });
  Timer too_late(loop);
  too_late.Start(std::chrono::seconds(10), [&] { loop.Stop(); });
  loop.Run();
  REQUIRE(done);
}

TEST_CASE("asked for from outside of the loop's run, it is done when the loop runs") {
  TestLoop loop;
  bool done = false;
  TurnEnd end(loop, [&] { done = true; });
  end.Ask();
  loop.RunReady();
  REQUIRE(done);
}

TEST_CASE("the task may ask again, and may destroy what it belongs to") {
  TestLoop loop;
  int done = 0;
  std::unique_ptr<TurnEnd> end;
  end = std::make_unique<TurnEnd>(loop, [&] {
    if (++done < 3) return end->Ask();
    end.reset();
  });
  end->Ask();
  loop.RunReady();
  REQUIRE(done == 3);
}

TEST_CASE("cancelled by its destructor") {
  TestLoop loop;
  bool done = false;
  auto end = std::make_unique<TurnEnd>(loop, [&] { done = true; });
  end->Ask();
  end.reset();
  loop.RunReady();
  REQUIRE_FALSE(done);
}

}  // namespace capsem
