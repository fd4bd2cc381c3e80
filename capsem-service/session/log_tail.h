// The last lines of a log that may lie in two files, read a piece at a time. What is written after
// Open is not read. Blocking: for a pool thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::service {

class LogTail {
 public:
  static constexpr size_t kPiece = 64 * 1024;  // LogChunk's limit (system.proto)

  // The files hold one log, oldest first; those that are missing are empty. `lines` 0 = all of it.
  static std::unique_ptr<LogTail> Open(const std::vector<std::string>& files, uint32_t lines);
  // The next piece; empty at the end.
  StatusOr<std::string> Next();

 private:
  struct Part {
    UniqueFd fd;
    uint64_t size;
  };
  StatusOr<std::string> Read(uint64_t offset, size_t count) const;
  uint64_t Size() const;
  uint64_t StartOf(uint32_t lines) const;

  std::vector<Part> parts_;
  uint64_t next_ = 0;
};

}  // namespace capsem::service
