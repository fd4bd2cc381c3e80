#include "session/log_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace capsem::service {

std::unique_ptr<LogTail> LogTail::Open(const std::vector<std::string>& files, uint32_t lines) {
  auto log = std::make_unique<LogTail>();
  for (const std::string& path : files) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat info {};
    if (!fd.valid() || fstat(fd.get(), &info) != 0 || info.st_size <= 0) continue;
    log->parts_.push_back({std::move(fd), static_cast<uint64_t>(info.st_size)});
  }
  if (lines > 0) log->next_ = log->StartOf(lines);
  return log;
}

StatusOr<std::string> LogTail::Next() {
  std::string piece = TRY(Read(next_, kPiece));
  next_ += piece.size();
  return piece;
}

uint64_t LogTail::Size() const {
  uint64_t size = 0;
  for (const Part& part : parts_) size += part.size;
  return size;
}

// At most `count` bytes, and not beyond the part that `offset` lies in; fewer when a file has
// shrunk.
StatusOr<std::string> LogTail::Read(uint64_t offset, size_t count) const {
  for (const Part& part : parts_) {
    if (offset >= part.size) {
      offset -= part.size;
      continue;
    }
    std::string bytes(std::min<uint64_t>(count, part.size - offset), '\0');
    const ssize_t got =
        pread(part.fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0) return FromErrno("read a log");
    bytes.resize(static_cast<size_t>(got));
    return bytes;
  }
  return std::string();
}

// Backwards, a piece at a time, until enough line ends were seen.
uint64_t LogTail::StartOf(uint32_t lines) const {
  uint64_t end = Size();
  uint64_t seen = 0;
  bool last_byte = true;
  while (end > 0) {
    const uint64_t start = end > kPiece ? end - kPiece : 0;
    std::string piece;
    while (start + piece.size() < end) {
      const auto more = Read(start + piece.size(), end - start - piece.size());
      if (!more.ok() || more->empty()) return start;
      piece += *more;
    }
    for (size_t i = piece.size(); i-- > 0; last_byte = false) {
      // The end of the last line begins no line after it.
      if (piece[i] == '\n' && !last_byte && ++seen == lines) return start + i + 1;
    }
    end = start;
  }
  return 0;
}

}  // namespace capsem::service
