#include "supervise/short_run.h"

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

StatusOr<std::string> Run(const std::string& lines, std::chrono::milliseconds limit) {
  TestLoop loop;
  std::optional<StatusOr<std::string>> answer;
  ShortRun run(loop, {"/bin/sh", {"-c", lines}, limit, 16},
               [&](StatusOr<std::string> output) { answer = std::move(output); });
  REQUIRE(!answer);
  REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
  return *answer;
}

constexpr std::chrono::seconds kLong{10};

}  // namespace

TEST_CASE("what a program prints is its answer, up to a limit") {
  REQUIRE(VALUE_OF(Run("echo hello; echo no >&2", kLong)) == "hello\n");
  REQUIRE(VALUE_OF(Run("echo 0123456789abcdefghijk", kLong)) == "0123456789abcdef");
  REQUIRE(VALUE_OF(Run("exit 0", kLong)).empty());
}

TEST_CASE("a program that fails, hangs or is missing is an error") {
  const auto failed = Run("echo because; exit 3", kLong);
  REQUIRE_CODE(failed, kInternal);
  REQUIRE(Message(failed.status()) == "/bin/sh ended with exit code 3: because\n");
  REQUIRE_CODE(Run("exec sleep 60", std::chrono::milliseconds(20)), kDeadlineExceeded);

  TestLoop loop;
  std::optional<StatusOr<std::string>> answer;
  ShortRun run(loop, {"/nowhere/program", {}, kLong},
               [&](StatusOr<std::string> output) { answer = std::move(output); });
  REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
  REQUIRE_CODE(*answer, kNotFound);
}

TEST_CASE("a run may be destroyed by its answer, and before it") {
  TestLoop loop;
  std::unique_ptr<ShortRun> run;
  run = std::make_unique<ShortRun>(loop, ShortRun::Spec{"/bin/true", {}, kLong},
                                   [&](const StatusOr<std::string>&) { run = nullptr; });
  REQUIRE(loop.RunUntil([&] { return !run; }));
  ShortRun(loop, {"/bin/sleep", {"60"}, kLong},
           [](const StatusOr<std::string>&) { FAIL("it was destroyed before"); });
  loop.RunReady();
}

}  // namespace capsem::service
