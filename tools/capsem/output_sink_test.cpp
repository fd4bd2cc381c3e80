#include "output_sink.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::cli {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    read_end.Reset(ends[0]);
    write_end.Reset(ends[1]);
  }
  std::string ReadSome() {
    std::string bytes(65536, '\0');
    const ssize_t count = read(read_end.get(), bytes.data(), bytes.size());
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return bytes;
  }
  UniqueFd read_end, write_end;
};

}  // namespace

TEST_CASE("what the reader does not take at once leaves later, in order") {
  TestLoop loop;
  Pipe pipe;
  bool told_idle = false;
  OutputSink sink(loop, pipe.write_end.get(), "stdout", [&] { told_idle = true; });
  sink.Write("first ");
  CHECK(sink.idle());
  std::string sent = "first ";
  for (int i = 0; i < 100; ++i) {
    const std::string chunk(5000, static_cast<char>('a' + i % 26));
    sink.Write(chunk);
    sent += chunk;
  }
  CHECK_FALSE(sink.idle());
  std::string received;
  REQUIRE(loop.RunUntil([&] {
    if (received.size() < sent.size()) received += pipe.ReadSome();
    return told_idle && received.size() >= sent.size();
  }));
  CHECK(received == sent);
  REQUIRE_OK(sink.status());
}

TEST_CASE("a reader that is gone is a status") {
  signal(SIGPIPE, SIG_IGN);
  TestLoop loop;
  Pipe pipe;
  OutputSink sink(loop, pipe.write_end.get(), "stdout", [] {});
  pipe.read_end.Reset();
  sink.Write("x");
  CHECK_FALSE(sink.status().ok());
  CHECK(sink.idle());
  sink.Write("y");
  CHECK(sink.idle());
  signal(SIGPIPE, SIG_DFL);
}

TEST_CASE("a full disk is a status") {
  TestLoop loop;
  const UniqueFd full(open("/dev/full", O_WRONLY));
  OutputSink sink(loop, full.get(), "stdout", [] {});
  sink.Write("x");
  REQUIRE_CODE(sink.status(), kDataLoss);
}

}  // namespace capsem::cli
