#include "guest/exec_spool.h"

#include <sys/stat.h>

#include <filesystem>
#include <random>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::process {
namespace {

constexpr size_t kChunk = ExecSpool::kChunk;
// Small, so that tests are.
constexpr ExecSpool::Limits kSmall{2 * kChunk, 8 * kChunk};

struct Fixture {
  explicit Fixture(std::string path = {}) {
    spool = std::make_unique<ExecSpool>(loop, path.empty() ? dir / "spools/1" : path, kSmall,
                                        [this] { ++changes; });
  }
  // All from `offset` on: as "stream:bytes", pieces of one stream together.
  std::vector<std::pair<OutputStream, std::string>> ReadFrom(uint64_t offset) {
    std::vector<std::pair<OutputStream, std::string>> read;
    ExecSpool::Cursor cursor(offset);
    while (cursor.offset() < spool->end()) {
      const auto piece = VALUE_OF(spool->Look(cursor));
      if (!piece) {
        const int before = changes;
        REQUIRE(loop.RunUntil([&] { return changes > before; }));
        continue;
      }
      if (read.empty() || read.back().first != piece->stream) read.push_back({piece->stream, ""});
      read.back().second += piece->bytes;
      cursor.Advance(piece->bytes.size());
    }
    return read;
  }
  void Settle(size_t file_bytes) {
    REQUIRE(loop.RunUntil([&] { return spool->file_bytes() == file_bytes; }));
  }

  TestLoop loop;
  const TempDir dir;
  int changes = 0;
  std::unique_ptr<ExecSpool> spool;
};

std::string Pattern(size_t bytes, unsigned seed = 1) {
  std::minstd_rand random(seed);
  std::string text(bytes, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

}  // namespace

TEST_CASE("what was written comes back in order, apart and from any offset") {
  Fixture test;
  test.spool->Append(OutputStream::kStdout, "one ");
  test.spool->Append(OutputStream::kStdout, "two ");
  test.spool->Append(OutputStream::kStderr, "oops");
  test.spool->Append(OutputStream::kStdout, "three");
  REQUIRE(test.spool->end() == 17);
  const auto all = test.ReadFrom(0);
  REQUIRE(all.size() == 3);
  REQUIRE(all[0].second == "one two ");
  REQUIRE(all[1] == std::pair(OutputStream::kStderr, std::string("oops")));
  REQUIRE(all[2].second == "three");
  REQUIRE(test.ReadFrom(10)[0] == std::pair(OutputStream::kStderr, std::string("ps")));
  REQUIRE(test.ReadFrom(17).empty());
}

TEST_CASE("what is old lies in a file of ours alone, and comes back from there") {
  Fixture test;
  const std::string text = Pattern(6 * kChunk);
  for (size_t at = 0; at < text.size(); at += 1000)
    test.spool->Append(OutputStream::kStdout, std::string_view(text).substr(at, 1000));
  test.Settle(5 * kChunk);
  struct stat found {};
  REQUIRE(stat((test.dir / "spools/1").c_str(), &found) == 0);
  REQUIRE((found.st_mode & 0777) == 0600);
  REQUIRE(test.spool->begin() == 0);
  for (const size_t from : {size_t{0}, size_t{1}, kChunk, 3 * kChunk + 7, 5 * kChunk}) {
    REQUIRE(test.ReadFrom(from)[0].second == text.substr(from));
  }
  test.spool.reset();
  REQUIRE(stat((test.dir / "spools/1").c_str(), &found) != 0);
}

TEST_CASE("small writes to both streams take no more room than is allowed") {
  Fixture test;
  std::string out;
  for (int i = 0; i < 120000; ++i) {
    const char byte = static_cast<char>('a' + i % 26);
    test.spool->Append(i % 2 == 0 ? OutputStream::kStdout : OutputStream::kStderr,
                       std::string_view(&byte, 1));
    if (i % 1000 == 0) test.loop.RunReady();
  }
  test.Settle(6 * kChunk);
  REQUIRE(test.spool->begin() > 0);
  REQUIRE(test.spool->full());
  const auto read = test.ReadFrom(test.spool->begin());
  REQUIRE(read.size() == 120000 - test.spool->begin());
  REQUIRE(read.back().second == std::string(1, static_cast<char>('a' + 119999 % 26)));
}

TEST_CASE("a full spool says so first, and then forgets its oldest bytes") {
  Fixture test;
  const std::string text = Pattern(30 * kChunk);
  size_t written = 0;
  bool was_full = false;
  while (written < text.size()) {
    if (!was_full && test.spool->full()) {
      was_full = true;
      REQUIRE(test.spool->begin() == 0);
    }
    const uint64_t next = test.spool->full() ? test.spool->next_begin() : 0;
    const std::string_view piece = std::string_view(text).substr(written, 50000);
    test.spool->Append(OutputStream::kStdout, piece);
    written += piece.size();
    REQUIRE(test.spool->begin() <= next);
    REQUIRE(test.loop.RunUntil([&] { return !test.spool->behind(); }));
  }
  REQUIRE(was_full);
  REQUIRE(test.spool->end() - test.spool->begin() >= 6 * kChunk);
  test.Settle(6 * kChunk);
  REQUIRE(test.ReadFrom(test.spool->begin())[0].second == text.substr(test.spool->begin()));
  REQUIRE(std::filesystem::file_size(test.dir / "spools/1") <= kSmall.total);
}

TEST_CASE("chunks go to the file several at once") {
  TestLoop loop;
  const TempDir dir;
  ExecSpool spool(loop, dir / "1", {8 * kChunk, 32 * kChunk}, [] {});
  const std::string text = Pattern(40 * kChunk);
  const auto add = [&](size_t from, size_t to) {
    for (size_t at = from; at < to; ++at)
      spool.Append(OutputStream::kStdout, std::string_view(text).substr(at * kChunk, kChunk));
  };
  const auto write = [&] { REQUIRE(loop.RunUntil([&] { return spool.file_bytes() > 0; })); };
  add(0, 10);  // 11 chunks, for each has a header
  SECTION("when there are enough") {
    add(10, 11);
    write();
    REQUIRE(spool.file_bytes() == 4 * kChunk);
  }
  SECTION("or no more to come") {
    spool.Close();
    write();
    REQUIRE(spool.file_bytes() == 10 * kChunk);
  }
  SECTION("of which the oldest may have gone meanwhile") {
    add(10, 40);
    REQUIRE(spool.begin() > 0);
    write();
    REQUIRE(spool.file_bytes() == 24 * kChunk);
  }
}

TEST_CASE("a closed spool keeps a chunk in memory, and all that there was") {
  Fixture test;
  const std::string text = Pattern(2 * kChunk);
  test.spool->Append(OutputStream::kStdout, text);
  test.Settle(kChunk);
  test.spool->Close();
  test.Settle(2 * kChunk);
  REQUIRE(test.ReadFrom(0)[0].second == text);
}

TEST_CASE("without a file the last bytes stay in memory") {
  Fixture test("/proc/no/such/file");
  const std::string text = Pattern(10 * kChunk);
  for (size_t at = 0; at < text.size(); at += 30000) {
    test.spool->Append(OutputStream::kStdout, std::string_view(text).substr(at, 30000));
    REQUIRE(test.loop.RunUntil([&] { return !test.spool->behind(); }));
  }
  test.loop.RunReady();
  REQUIRE(test.spool->full());
  REQUIRE(test.spool->end() - test.spool->begin() >= 2 * kChunk);
  REQUIRE(test.ReadFrom(test.spool->begin())[0].second == text.substr(test.spool->begin()));
}

TEST_CASE("a file that was cut is an error, and no wrong bytes") {
  Fixture test;
  test.spool->Append(OutputStream::kStdout, Pattern(6 * kChunk));
  test.Settle(5 * kChunk);
  std::filesystem::resize_file(test.dir / "spools/1", 100);
  ExecSpool::Cursor cursor(0);
  const int before = test.changes;
  REQUIRE_FALSE(VALUE_OF(test.spool->Look(cursor)));
  REQUIRE(test.loop.RunUntil([&] { return test.changes > before; }));
  REQUIRE_CODE(test.spool->Look(cursor).status(), kDataLoss);
}

}  // namespace capsem::process
