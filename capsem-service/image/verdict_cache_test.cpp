#include "image/verdict_cache.h"

#include <fcntl.h>
#include <utime.h>

#include <filesystem>
#include <fstream>

#include "base/small_file.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/unique_fd.h"
#include "image/file_digest.h"

namespace capsem::service {
namespace {

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

UniqueFd Open(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  return fd;
}

// A file that was changed long enough ago to be remembered: this program's own.
constexpr char kOldFile[] = "/proc/self/exe";

std::string Table(const std::string& path) {
  return ReadSmallFile(AT_FDCWD, path, 1024 * 1024).value_or("");
}

TEST_CASE("the digest of a file is remembered, and the memory is what answers") {
  TempDir dir;
  const VerdictCache cache(dir / "verdicts");
  const UniqueFd fd = Open(kOldFile);
  const std::string digest = VALUE_OF(cache.Sha256Of(fd.get()));
  REQUIRE(digest == VALUE_OF(Sha256HexOfFile(fd.get())));
  // Another digest in the table is believed: so the file was not read again.
  std::string table = Table(dir / "verdicts");
  REQUIRE(table.find(digest) != std::string::npos);
  table.replace(table.find(digest), digest.size(), "remembered");
  Write(dir / "verdicts", table);
  REQUIRE(VALUE_OF(VerdictCache(dir / "verdicts").Sha256Of(fd.get())) == "remembered");
}

TEST_CASE("a file that was changed is hashed anew") {
  TempDir dir;
  const VerdictCache cache(dir / "verdicts");
  Write(dir / "file", "one");
  const UniqueFd fd = Open(dir / "file");
  REQUIRE(VALUE_OF(cache.Sha256Of(fd.get())) == Sha256Hex("one"));
  Write(dir / "file", "two");
  REQUIRE(VALUE_OF(cache.Sha256Of(fd.get())) == Sha256Hex("two"));
  Write(dir / "file", "three");
  REQUIRE(VALUE_OF(cache.Sha256Of(fd.get())) == Sha256Hex("three"));
}

TEST_CASE("a file changed too short ago to tell another change is not remembered") {
  TempDir dir;
  Write(dir / "file", "one");
  const UniqueFd fd = Open(dir / "file");
  REQUIRE_OK(VerdictCache(dir / "verdicts", std::chrono::hours(1)).Sha256Of(fd.get()));
  REQUIRE_FALSE(std::filesystem::exists(dir / "verdicts"));
  REQUIRE_OK(VerdictCache(dir / "verdicts", std::chrono::hours(-1)).Sha256Of(fd.get()));
  REQUIRE(std::filesystem::exists(dir / "verdicts"));
}

TEST_CASE("a damaged table, or one that cannot be written, costs a hash and no more") {
  TempDir dir;
  const UniqueFd fd = Open(kOldFile);
  const std::string digest = VALUE_OF(Sha256HexOfFile(fd.get()));
  for (const std::string& table :
       {std::string("garbage"), std::string("\n\n\n"), std::string(200 * 1024, 'x')}) {
    Write(dir / "verdicts", table);
    REQUIRE(VALUE_OF(VerdictCache(dir / "verdicts").Sha256Of(fd.get())) == digest);
  }
  REQUIRE(VALUE_OF(VerdictCache(dir / "none/verdicts").Sha256Of(fd.get())) == digest);
}

TEST_CASE("the table stays small") {
  TempDir dir;
  std::string table;
  for (int i = 0; i < 300; ++i) table += fmt::format("1 {} 3 4 5 digest\n", i);
  Write(dir / "verdicts", table);
  REQUIRE_OK(VerdictCache(dir / "verdicts").Sha256Of(Open(kOldFile).get()));
  const std::string kept = Table(dir / "verdicts");
  REQUIRE(std::count(kept.begin(), kept.end(), '\n') == 256);
  REQUIRE(kept.find("1 254 3") != std::string::npos);
  REQUIRE(kept.find("1 255 3") == std::string::npos);
}

}  // namespace
}  // namespace capsem::service
