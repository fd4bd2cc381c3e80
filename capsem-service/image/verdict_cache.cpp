#include "image/verdict_cache.h"

#include <fcntl.h>

#include <optional>

#include "base/log.h"
#include "base/small_file.h"
#include "image/file_digest.h"

namespace capsem::service {
namespace {

// A line takes about 140 bytes, a file of an image a line: the newest 256 are kept.
constexpr size_t kMaxLines = 256;
constexpr size_t kMaxTableBytes = 64 * 1024;

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// How long ago the file was changed, by the clock that the kernel stamps with.
std::chrono::nanoseconds Age(const struct stat& file) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::chrono::nanoseconds(Nanoseconds(now) - Nanoseconds(file.st_ctim));
}

std::string Identity(const struct stat& file) {
  return fmt::format("{} {} {} {} {} ", file.st_dev, file.st_ino, file.st_size,
                     Nanoseconds(file.st_mtim), Nanoseconds(file.st_ctim));
}

// The rest of the line that begins with `identity`.
std::optional<std::string> Find(std::string_view table, std::string_view identity) {
  while (!table.empty()) {
    const size_t end = table.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    if (table.starts_with(identity)) {
      return std::string(table.substr(identity.size(), end - identity.size()));
    }
    table.remove_prefix(end + 1);
  }
  return std::nullopt;
}

// `table` without its last lines, so that `kMaxLines` are left.
std::string_view Newest(std::string_view table) {
  size_t end = 0;
  for (size_t lines = 0; lines < kMaxLines; ++lines) {
    const size_t next = table.find('\n', end);
    if (next == std::string_view::npos) break;
    end = next + 1;
  }
  return table.substr(0, end);
}

}  // namespace

StatusOr<std::string> VerdictCache::Sha256Of(int fd) const {
  struct stat before {};
  if (fstat(fd, &before) != 0) return FromErrno("look at a file");
  const std::string identity = Identity(before);
  const StatusOr<std::string> table = ReadSmallFile(AT_FDCWD, path_, kMaxTableBytes);
  if (table.ok()) {
    if (const auto known = Find(*table, identity)) return *known;
  }
  const bool settled = Age(before) > settled_;
  std::string digest = TRY(Sha256HexOfFile(fd));
  struct stat after {};
  if (fstat(fd, &after) != 0) return FromErrno("look at a file");
  if (Identity(after) != identity) return Unavailable("the file changed while it was read");
  if (settled) Remember(identity, digest);
  return digest;
}

void VerdictCache::Remember(const std::string& identity, const std::string& digest) const {
  // Read anew: another thread may have added its own meanwhile.
  const std::string others = ReadSmallFile(AT_FDCWD, path_, kMaxTableBytes).value_or(std::string());
  const std::string table = fmt::format("{}{}\n{}", identity, digest, others);
  const Status written = WriteSmallFile(path_, Newest(table));
  // A full disk must not stop a machine from starting: without the table, files are hashed again.
  if (!written.ok()) log::Warning("verdicts on files are not kept", {{"error", written}});
}

}  // namespace capsem::service
