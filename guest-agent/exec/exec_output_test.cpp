#include "exec/exec_output.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::agent {
namespace {

struct Fixture {
  Fixture() {
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    writer.Reset(fds[1]);
    output = std::make_unique<ExecOutput>(loop, UniqueFd(fds[0]));
  }
  void Say(std::string_view text) {
    REQUIRE(write(writer.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }

  TestLoop loop;
  UniqueFd writer;
  std::unique_ptr<ExecOutput> output;
};

}  // namespace

TEST_CASE("what comes after the listener is heard, until the end") {
  Fixture f;
  std::string heard;
  f.output->Listen([&] {
    char bytes[16];
    const ssize_t count = f.output->Read(bytes, sizeof bytes);
    if (count == 0) return f.output->Close();
    heard.append(bytes, static_cast<size_t>(count));
  });
  f.Say("one");
  REQUIRE(f.loop.RunUntil([&] { return heard == "one"; }));
  f.writer.Reset();
  REQUIRE(f.loop.RunUntil([&] { return !f.output->open(); }));
}

TEST_CASE("a pause holds the bytes in the pipe") {
  Fixture f;
  int calls = 0;
  f.output->Listen([&] {
    ++calls;
    f.output->Pause(true);
  });
  f.Say("four");
  REQUIRE(f.loop.RunUntil([&] { return calls == 1; }));
  REQUIRE(f.output->Available() == 4);
  f.output->Pause(false);
  REQUIRE(f.loop.RunUntil([&] { return calls == 2; }));
}

TEST_CASE("a process that ends before it has a command wakes nobody twice") {
  Fixture f;
  f.writer.Reset();
  bool later = false;
  f.loop.Post([&] { later = true; });
  REQUIRE(f.loop.RunUntil([&] { return later; }));
  REQUIRE(f.output->AtEnd());
  REQUIRE(f.output->Available() == 0);
}

TEST_CASE("a released pipe is open and nobody's") {
  Fixture f;
  f.Say("x");
  const UniqueFd pipe = f.output->Release();
  REQUIRE(pipe.valid());
  REQUIRE_FALSE(f.output->open());
  REQUIRE(f.output->Available() == 0);
}

}  // namespace capsem::agent
