// A log read a piece at a time, from its last lines on. It lies in one file, or in two: PATH, and
// PATH.1 with what came before it; whoever writes it turns PATH into PATH.1 when it is large enough
// (base/log, serial_ring). Blocking: for a pool thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::service {

class LogTail {
 public:
  static constexpr size_t kPiece = 64 * 1024;  // LogChunk's limit (system.proto)

  struct Piece {
    std::string bytes;
    // The log was turned more than once since the last look: so many bytes, or more, may have been
    // gone before they could be read.
    uint64_t dropped = 0;
  };

  // A log that is not there is empty. `lines` 0 = all of it. With `word` only lines that have it,
  // and that are no longer than a piece.
  static std::unique_ptr<LogTail> Open(std::string path, uint32_t lines, std::string word = {});
  // The next piece of what was there when it was opened; empty at its end.
  StatusOr<Piece> Next();
  // The next piece of what is there now; empty at its end. Also when it was turned, or deleted,
  // meanwhile: what was open stays to be read.
  StatusOr<Piece> NextOfGrowing();

 private:
  struct Part {
    UniqueFd fd;
    uint64_t device = 0;
    uint64_t inode = 0;
    uint64_t size = 0;  // as far as it is to be read
    bool IsSame(const Part& other) const { return device == other.device && inode == other.inode; }
  };
  LogTail(std::string path, std::string word) : path_(std::move(path)), word_(std::move(word)) {}
  static Part OpenPart(const std::string& path);
  StatusOr<std::string> Read(uint64_t offset, size_t count) const;
  uint64_t Size() const;
  uint64_t StartOf(uint32_t lines) const;
  uint64_t StartOfWithWord(uint32_t lines) const;
  std::string TakeLines(std::string bytes);
  void Grow();
  uint64_t TakeNewParts();

  const std::string path_;
  const std::string word_;
  std::string begun_;       // the line that has no end yet, when there is a word
  std::deque<Part> parts_;  // oldest first
  uint64_t next_ = 0;       // counted from the start of the first part
};

}  // namespace capsem::service
