#include "input_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::cli {
namespace {

struct Heard {
  std::string bytes;
  int ends = 0;
  InputSource::Events Events() {
    return {[this](std::string_view more) { bytes += more; }, [this] { ++ends; }};
  }
};

}  // namespace

TEST_CASE("a file is read to its end") {
  const TempDir dir;
  const std::string content(200000, 'x');
  std::ofstream(dir / "in") << content;
  const UniqueFd file(open((dir / "in").c_str(), O_RDONLY));
  TestLoop loop;
  Heard heard;
  InputSource source(loop, file.get(), heard.Events());
  CHECK(heard.bytes.empty());
  REQUIRE(loop.RunUntil([&] { return heard.ends > 0; }));
  CHECK(heard.bytes == content);
}

TEST_CASE("a pipe is read as it comes, and not while paused") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  TestLoop loop;
  Heard heard;
  InputSource source(loop, read_end.get(), heard.Events());
  REQUIRE(write(ends[1], "ab", 2) == 2);
  REQUIRE(loop.RunUntil([&] { return heard.bytes == "ab"; }));
  source.Pause(true);
  REQUIRE(write(ends[1], "cd", 2) == 2);
  loop.RunReady();
  CHECK(heard.bytes == "ab");
  source.Pause(false);
  REQUIRE(loop.RunUntil([&] { return heard.bytes == "abcd"; }));
  write_end.Reset();
  REQUIRE(loop.RunUntil([&] { return heard.ends == 1; }));
  loop.RunReady();
  CHECK(heard.ends == 1);
}

TEST_CASE("no stdin at all is an end") {
  TestLoop loop;
  Heard heard;
  InputSource source(loop, 1023, heard.Events());
  REQUIRE(loop.RunUntil([&] { return heard.ends == 1; }));
}

TEST_CASE("the source may be dropped in its own event") {
  const UniqueFd zero(open("/dev/zero", O_RDONLY));
  TestLoop loop;
  std::unique_ptr<InputSource> source;
  int chunks = 0;
  source = std::make_unique<InputSource>(loop, zero.get(),
                                         InputSource::Events{[&](std::string_view) {
                                                               ++chunks;
                                                               source = nullptr;
                                                             },
                                                             [] {}});
  REQUIRE(loop.RunUntil([&] { return chunks > 0; }));
  loop.RunReady();
  CHECK(chunks == 1);
}

}  // namespace capsem::cli
