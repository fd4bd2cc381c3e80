#include "machine/qemu_child.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/log.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

// A shell in QEMU's place.
struct Fixture {
  StatusOr<std::unique_ptr<QemuChild>> Run(std::string script,
                                           std::map<std::string, UniqueFd> files = {}) {
    return QemuChild::Spawn(
        loop, {.argv = {"/bin/sh", "-c", std::move(script)}, .files = std::move(files)},
        [this](ExitReason reason) { ended = reason; });
  }
  ExitReason End() {
    REQUIRE(loop.RunUntil([this] { return ended.has_value(); }));
    return *ended;
  }

  TestLoop loop;
  std::optional<ExitReason> ended;
};

UniqueFd FileWith(std::string_view text) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd write_end(ends[1]);
  REQUIRE(write(write_end.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  return UniqueFd(ends[0]);
}

}  // namespace

TEST_CASE("holes are filled wherever they stand") {
  const std::vector<std::string> argv = {
      "qemu", "-a", "socket,id=q,fd={fd:qmp}", "/proc/self/fd/{fd:ram}", "{fd:ram}{fd:qmp}", "{x}"};
  const auto filled = VALUE_OF(FillHoles(argv, {{"qmp", 3}, {"ram", 12}}));
  REQUIRE(filled == std::vector<std::string>{"qemu", "-a", "socket,id=q,fd=3", "/proc/self/fd/12",
                                             "123", "{x}"});
}

TEST_CASE("a hole that cannot be filled, or a descriptor that nothing uses, is refused by name") {
  struct Case {
    std::string argument;
    std::map<std::string, int> numbers;
    std::string_view named;
  };
  const Case cases[] = {
      {"{fd:disk}", {}, "disk"},
      {"fd={fd:disk", {{"disk", 3}}, "disk"},
      {"{fd:}", {}, "{fd:}"},
      {"plain", {{"root", 3}}, "root"},
  };
  for (const Case& c : cases) {
    const auto filled = FillHoles({c.argument}, c.numbers);
    REQUIRE_CODE(filled, kInvalidArgument);
    REQUIRE(Message(filled.status()).find(c.named) != std::string_view::npos);
  }
}

TEST_CASE("the child has its files under their numbers and nothing of our environment") {
  Fixture f;
  REQUIRE(setenv("CAPSEM_TEST_SECRET", "x", 1) == 0);
  std::map<std::string, UniqueFd> files;
  files["a"] = FileWith("first\n");
  files["b"] = FileWith("second\n");
  const auto child = VALUE_OF(
      f.Run("read one <&{fd:a}; read two <&{fd:b}; echo $two $one ${CAPSEM_TEST_SECRET-unset} >&2",
            std::move(files)));
  REQUIRE(f.End().clean());
  REQUIRE(child->stderr_tail().bytes() == "second first unset\n");
}

TEST_CASE("the end is told with its reason, after the last word on stderr") {
  struct Case {
    std::string script;
    int code, signal;
  };
  const Case cases[] = {{"echo sorry >&2; exit 3", 3, 0},
                        {"echo sorry >&2; kill -SEGV $$", 0, SIGSEGV}};
  for (const Case& c : cases) {
    Fixture f;
    const auto child = VALUE_OF(f.Run(c.script));
    const ExitReason reason = f.End();
    REQUIRE(reason.code == c.code);
    REQUIRE(reason.signal == c.signal);
    REQUIRE(child->stderr_tail().LastLines(1) == "sorry");
    REQUIRE_FALSE(child->running());
  }
}

TEST_CASE("a flood on stderr does not stop the child, and its end is kept") {
  Fixture f;
  log::SetLevel(log::Level::kError);
  const auto child =
      VALUE_OF(f.Run("i=0; while [ $i -lt 20000 ]; do echo 'the same line again'; i=$((i+1)); done "
                     ">&2; echo end >&2"));
  REQUIRE(f.End().clean());
  log::SetLevel(log::Level::kInfo);
  REQUIRE(child->stderr_tail().LastLines(1) == "end");
  REQUIRE(child->stderr_tail().bytes().size() == TextTail::kBytes);
}

TEST_CASE("a child is killed on order, and by its owner's destruction") {
  Fixture f;
  auto child = VALUE_OF(f.Run("exec sleep 1000"));
  child->Kill();
  REQUIRE(f.End().signal == SIGKILL);

  child = VALUE_OF(f.Run("exec sleep 1000"));
  const pid_t pid = child->pid();
  child.reset();
  REQUIRE(kill(pid, 0) != 0);
}

TEST_CASE("a program that is not there is named, with what helps") {
  TestLoop loop;
  const auto child = QemuChild::Spawn(loop, {.argv = {"/no/such/qemu"}}, [](ExitReason) {});
  REQUIRE_CODE(child, kNotFound);
  REQUIRE(Message(child.status()).find("/no/such/qemu") != std::string_view::npos);
  REQUIRE_FALSE(Remedy(child.status()).empty());
}

TEST_CASE("the child may be destroyed by the word of its end") {
  TestLoop loop;
  std::unique_ptr<QemuChild> child;
  child = VALUE_OF(
      QemuChild::Spawn(loop, {.argv = {"/bin/true"}}, [&child](ExitReason) { child.reset(); }));
  REQUIRE(loop.RunUntil([&] { return child == nullptr; }));
}

}  // namespace capsem::process
