#include "life.h"

#include "base/testing/status_matchers.h"

namespace capsem::process {
namespace {

TEST_CASE("requests before readiness wait in order") {
  Life life;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    life.WhenReady([&order, i](Status status) {
      REQUIRE_OK(status);
      order.push_back(i);
    });
  }
  REQUIRE(order.empty());
  life.Ready();
  REQUIRE(order == std::vector<int>{0, 1, 2});
}

TEST_CASE("a machine that dies before it is ready ends every waiter with the reason") {
  Life life;
  Status heard;
  life.WhenReady([&heard](Status status) { heard = std::move(status); });
  life.Gone({false, "QEMU ended: signal 9 (Killed)"});
  REQUIRE_CODE(heard, kUnavailable);
  REQUIRE(std::string(Message(heard)).find("signal 9") != std::string::npos);
}

TEST_CASE("what each state answers to a new request") {
  const auto code_after = [](void (*change)(Life&)) {
    Life life;
    life.Ready();
    change(life);
    Status heard = Internal("never answered");
    life.WhenReady([&heard](Status status) { heard = std::move(status); });
    return heard.code();
  };
  REQUIRE(code_after([](Life&) {}) == StatusCode::kOk);
  REQUIRE(code_after([](Life& life) { life.Drain(); }) == StatusCode::kFailedPrecondition);
  REQUIRE(code_after([](Life& life) { life.Gone({true, "stopped"}); }) == StatusCode::kUnavailable);
}

TEST_CASE("the first reason for the end is the one that is kept") {
  Life life;
  int changes = 0;
  life.Observe([&changes](const Life&) { ++changes; });
  life.Gone({false, "first"});
  life.Gone({true, "second"});
  REQUIRE(life.exit().reason == "first");
  REQUIRE_FALSE(life.exit().clean);
  REQUIRE(changes == 1);
  life.Ready();
  REQUIRE(life.state() == Life::State::kGone);
}

TEST_CASE("observers hear that the guest stands still, and that it goes on, once each") {
  Life life;
  std::vector<std::string> heard;
  life.Observe([&](const Life& it) { heard.push_back(it.trouble()); });
  life.Ready();
  life.StandStill("full");
  life.StandStill("full");
  life.GoOn();
  life.GoOn();
  REQUIRE(heard == std::vector<std::string>{"", "full", ""});
}

}  // namespace
}  // namespace capsem::process
