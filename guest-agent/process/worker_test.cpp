#include "process/worker.h"

#include <unistd.h>

#include <optional>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::agent {
namespace {

// What the work came to.
Status Outcome(std::chrono::milliseconds limit, const std::function<int()>& work) {
  TestLoop loop;
  const auto reaper = VALUE_OF(Reaper::Create(loop));
  std::optional<Status> outcome;
  RunInWorker(loop, *reaper, limit, work, [&](Status status) { outcome = std::move(status); });
  REQUIRE_FALSE(outcome);
  REQUIRE(loop.RunUntil([&] { return outcome.has_value(); }));
  loop.RunReady();
  return *outcome;
}

constexpr std::chrono::hours kNever{1};

}  // namespace

TEST_CASE("a worker's errno is its answer") {
  REQUIRE_OK(Outcome(kNever, [] { return 0; }));
  REQUIRE_CODE(Outcome(kNever, [] { return ENOSPC; }), kResourceExhausted);
}

TEST_CASE("a worker that hangs is given up") {
  REQUIRE_CODE(Outcome(std::chrono::milliseconds(10), [] { return pause(); }), kDeadlineExceeded);
}

TEST_CASE("a worker that dies is an error, not a wait") {
  REQUIRE_CODE(Outcome(kNever, [] { return kill(getpid(), SIGKILL); }), kInternal);
}

TEST_CASE("a worker changes nothing in the agent") {
  int value = 1;
  REQUIRE_OK(Outcome(kNever, [&] { return --value; }));
  REQUIRE(value == 1);
}

}  // namespace capsem::agent
