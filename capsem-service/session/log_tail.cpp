#include "session/log_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace capsem::service {

LogTail::Part LogTail::OpenPart(const std::string& path) {
  Part part;
  // NONBLOCK: whatever lies there, nobody is waited for.
  part.fd.Reset(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!part.fd.valid()) return part;
  if (fstat(part.fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  part.device = info.st_dev;
  part.inode = info.st_ino;
  part.size = static_cast<uint64_t>(info.st_size);
  return part;
}

std::unique_ptr<LogTail> LogTail::Open(std::string path, uint32_t lines, std::string word) {
  std::unique_ptr<LogTail> log(new LogTail(std::move(path), std::move(word)));
  log->TakeNewParts();
  if (lines > 0) {
    log->next_ = log->word_.empty() ? log->StartOf(lines) : log->StartOfWithWord(lines);
  }
  return log;
}

// Files that have appeared since the last one that we know; the bytes that may be lost between.
uint64_t LogTail::TakeNewParts() {
  // The newer one first: when the log is turned between the two, both are the same file, and the
  // next look finds the new one.
  Part newer = OpenPart(path_);
  if (newer.fd.valid() && !parts_.empty() && newer.IsSame(parts_.back())) return 0;
  Part older = OpenPart(path_ + ".1");
  const bool older_is_known = older.fd.valid() && !parts_.empty() && older.IsSame(parts_.back());
  const bool older_is_new =
      older.fd.valid() && !older_is_known && !(newer.fd.valid() && older.IsSame(newer));
  // When the older one is not ours, it was turned at least twice; by a third time a file is gone,
  // as full as each that is turned.
  const bool one_may_be_gone = !parts_.empty() && older.fd.valid() && !older_is_known;
  const uint64_t lost = one_may_be_gone ? older.size : 0;
  if (older_is_new) parts_.push_back(std::move(older));
  if (newer.fd.valid()) parts_.push_back(std::move(newer));
  return lost;
}

StatusOr<LogTail::Piece> LogTail::Next() {
  for (;;) {
    Piece piece{TRY(Read(next_, kPiece))};
    next_ += piece.bytes.size();
    if (word_.empty() || piece.bytes.empty()) return piece;
    piece.bytes = TakeLines(std::move(piece.bytes));
    if (!piece.bytes.empty()) return piece;
  }
}

// Of the lines that end in `bytes`, those with the word.
std::string LogTail::TakeLines(std::string bytes) {
  std::string taken;
  std::string_view rest = bytes;
  for (size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
    begun_ += rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
    if (begun_.size() <= kPiece && begun_.find(word_) != std::string::npos) taken += begun_;
    begun_.clear();
  }
  // One that is too long to be taken is not kept either, but for its length.
  if (begun_.size() <= kPiece) begun_ += rest;
  return taken;
}

// Forwards, over all of it: whether a line counts is not known at its end.
uint64_t LogTail::StartOfWithWord(uint32_t lines) const {
  std::deque<uint64_t> starts;
  std::string line;
  uint64_t offset = 0;
  for (;;) {
    const auto piece = Read(offset, kPiece);
    if (!piece.ok() || piece->empty()) return starts.empty() ? offset : starts.front();
    for (const char c : *piece) {
      ++offset;
      if (line.size() <= kPiece) line += c;
      if (c != '\n') continue;
      if (line.size() <= kPiece && line.find(word_) != std::string::npos)
        starts.push_back(offset - line.size());
      if (starts.size() > lines) starts.pop_front();
      line.clear();
    }
  }
}

StatusOr<LogTail::Piece> LogTail::NextOfGrowing() {
  uint64_t dropped = 0;
  // A look may find files, of which the first is read at once.
  for (;;) {
    Grow();
    Piece piece = TRY(Next());
    piece.dropped = dropped;
    if (!piece.bytes.empty()) return piece;
    const size_t known = parts_.size();
    dropped += TakeNewParts();
    // What was written before the turn and after the last read comes first.
    if (parts_.size() == known) return piece;
  }
}

// The newest part may have grown; the ones that were read are done with.
void LogTail::Grow() {
  for (Part& part : parts_) {
    struct stat info {};
    if (fstat(part.fd.get(), &info) == 0) part.size = static_cast<uint64_t>(info.st_size);
  }
  while (parts_.size() > 1 && next_ >= parts_.front().size) {
    next_ -= parts_.front().size;
    parts_.pop_front();
  }
  // It was cut short: from its start again.
  if (parts_.size() == 1 && next_ > parts_.front().size) next_ = 0;
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
