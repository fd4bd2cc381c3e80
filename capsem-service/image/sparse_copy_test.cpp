#include "image/sparse_copy.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/unique_fd.h"
#include "image/file_digest.h"

namespace capsem::service {
namespace {

constexpr off_t kMib = 1024 * 1024;

struct Extent {
  off_t offset;
  size_t bytes;
};

UniqueFd MakeSource(const std::string& path, off_t size, const std::vector<Extent>& extents) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  REQUIRE(ftruncate(fd.get(), size) == 0);
  for (const Extent& extent : extents) {
    const std::string data(extent.bytes, static_cast<char>('a' + extent.offset % 26));
    REQUIRE(pwrite(fd.get(), data.data(), data.size(), extent.offset) ==
            static_cast<ssize_t>(data.size()));
  }
  return fd;
}

TEST_CASE("a copy has the bytes, the length and the holes of its source, at 0600") {
  const std::vector<std::pair<off_t, std::vector<Extent>>> cases = {
      {0, {}},
      {64 * kMib, {}},
      {64 * kMib, {{0, 5000}}},
      {64 * kMib, {{kMib, 1}, {32 * kMib, 3 * kMib}, {64 * kMib - 1, 1}}},
      {3, {{0, 3}}},
  };
  for (const auto& [size, extents] : cases) {
    TempDir dir;
    const UniqueFd source = MakeSource(dir / "source", size, extents);
    REQUIRE_OK(CopySparse(source.get(), dir / "copy"));
    const UniqueFd copy(open((dir / "copy").c_str(), O_RDONLY | O_CLOEXEC));
    struct stat found {};
    REQUIRE(fstat(copy.get(), &found) == 0);
    REQUIRE(found.st_size == size);
    REQUIRE((found.st_mode & 07777) == 0600);
    REQUIRE(found.st_blocks * 512 <= 4 * kMib);
    REQUIRE(VALUE_OF(Sha256HexOfFile(copy.get())) == VALUE_OF(Sha256HexOfFile(source.get())));
  }
}

TEST_CASE("a copy from another kind of file system is as good") {
  TempDir dir;
  const std::string text(600 * 1024, 'x');
  const UniqueFd source(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  REQUIRE(pwrite(source.get(), text.data(), text.size(), kMib) ==
          static_cast<ssize_t>(text.size()));
  REQUIRE_OK(CopySparse(source.get(), dir / "copy"));
  const UniqueFd copy(open((dir / "copy").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(VALUE_OF(Sha256HexOfFile(copy.get())) == VALUE_OF(Sha256HexOfFile(source.get())));
}

TEST_CASE("what lies at the target stays") {
  TempDir dir;
  const UniqueFd source = MakeSource(dir / "source", kMib, {});
  const UniqueFd other = MakeSource(dir / "copy", 3, {{0, 3}});
  REQUIRE_CODE(CopySparse(source.get(), dir / "copy"), kAlreadyExists);
  REQUIRE(std::filesystem::file_size(dir / "copy") == 3);
  REQUIRE_CODE(CopySparse(source.get(), dir / "none/copy"), kNotFound);
}

TEST_CASE("a copy that fails half-way leaves nothing") {
  TempDir dir;
  const UniqueFd source = MakeSource(dir / "source", 8 * kMib, {{0, 100}, {4 * kMib, 100}});
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{kMib, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const Status status = CopySparse(source.get(), dir / "copy");
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(status.ok());
  REQUIRE_FALSE(std::filesystem::exists(dir / "copy"));
}

}  // namespace
}  // namespace capsem::service
