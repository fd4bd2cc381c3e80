// Digests of large files, remembered by what the kernel says of the file: device, inode, size,
// times. A file that nobody touched since it was hashed is not hashed again, also not by the next
// service.
//
// The table is a small text file, read and replaced whole: several threads may do so at once, and
// what one of them loses costs another hash, never a wrong one. Whoever can write it could write
// the keys beside it too.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <string>

#include "base/status.h"

namespace capsem::service {

class VerdictCache {
 public:
  // The kernel stamps a change with the time of its last tick, 10 ms ago at most: of two changes
  // within a tick the second leaves no trace. A file changed less than `settled` ago is therefore
  // not remembered.
  explicit VerdictCache(std::string path,
                        std::chrono::nanoseconds settled = std::chrono::milliseconds(50))
      : path_(std::move(path)), settled_(settled) {}

  // The SHA-256 of an open regular file, in hex: remembered, else computed (0.7 s per GiB) and
  // remembered. Unavailable when the file changes while it is read. Blocks: for RunBlocking.
  StatusOr<std::string> Sha256Of(int fd) const;

 private:
  void Remember(const std::string& identity, const std::string& digest) const;

  std::string path_;
  std::chrono::nanoseconds settled_;
};

}  // namespace capsem::service
