// Digests of large files, remembered by what the kernel says of the file: device, inode, size,
// times. A file that nobody touched since it was hashed is not hashed again, also not by the next
// service.
//
// The table is a small text file, read and replaced whole: several threads may do so at once, and
// what one of them loses costs another hash, never a wrong one. Whoever can write it could write
// the keys beside it too.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/status.h"

namespace capsem::service {

class VerdictCache {
 public:
  explicit VerdictCache(std::string path) : path_(std::move(path)) {}

  // The SHA-256 of an open regular file, in hex: remembered, else computed (0.7 s per GiB) and
  // remembered. Unavailable when the file changes while it is read. Blocks: for RunBlocking.
  StatusOr<std::string> Sha256Of(int fd) const;

 private:
  void Remember(const std::string& identity, const std::string& digest) const;

  std::string path_;
};

}  // namespace capsem::service
