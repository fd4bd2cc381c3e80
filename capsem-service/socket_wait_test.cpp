#include "socket_wait.h"

#include <optional>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "base/unix_socket.h"

namespace capsem::service {
namespace {

struct Fixture {
  TestLoop loop;
  TempDir dir;
  std::optional<Status> answer;
  std::optional<SocketWait> wait;

  void Wait(std::chrono::milliseconds limit = std::chrono::minutes(1)) {
    wait.emplace(loop, dir / "s.sock", limit, [this](const Status& status) { answer = status; });
    REQUIRE(!answer);
  }
  bool Answered() {
    return loop.RunUntil([this] { return answer.has_value(); });
  }
};

}  // namespace

TEST_CASE("a service that listens already is found at once") {
  Fixture f;
  const UniqueFd listener = VALUE_OF(ListenUnix(f.dir / "s.sock"));
  f.Wait();
  REQUIRE(f.Answered());
  REQUIRE_OK(*f.answer);
}

TEST_CASE("a service that comes up later is found when it listens, not before") {
  Fixture f;
  VALUE_OF(ListenUnix(f.dir / "s.sock")).Reset();  // a stale one
  f.Wait();
  f.loop.RunReady();
  REQUIRE(!f.answer);
  const UniqueFd listener = VALUE_OF(ListenUnix(f.dir / "new"));
  f.loop.RunReady();
  REQUIRE(!f.answer);
  REQUIRE(rename((f.dir / "new").c_str(), (f.dir / "s.sock").c_str()) == 0);
  REQUIRE(f.Answered());
  REQUIRE_OK(*f.answer);
}

TEST_CASE("a service that never comes is an error in the end") {
  Fixture f;
  f.Wait(std::chrono::milliseconds(20));
  REQUIRE(f.Answered());
  REQUIRE_CODE(*f.answer, kDeadlineExceeded);
}

TEST_CASE("a folder that is not there is an error") {
  TestLoop loop;
  std::optional<Status> answer;
  SocketWait wait(loop, "/nowhere/s.sock", std::chrono::minutes(1),
                  [&](const Status& status) { answer = status; });
  REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
  REQUIRE_CODE(*answer, kNotFound);
}

}  // namespace capsem::service
