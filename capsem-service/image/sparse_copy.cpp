#include "image/sparse_copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/unique_fd.h"

namespace capsem::service {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;

// The next bytes of [begin, end): how many, as read and write have it.
ssize_t CopySome(int source, int target, off_t begin, off_t end) {
  off_t from = begin;
  off_t to = begin;
  const auto size = static_cast<size_t>(end - begin);
  const ssize_t copied = copy_file_range(source, &from, target, &to, size, 0);
  // Between two kinds of file systems the kernel leaves it to us.
  if (copied >= 0 || (errno != EXDEV && errno != EOPNOTSUPP && errno != EINVAL)) return copied;
  std::vector<char> buffer(std::min(size, kBufferBytes));
  const ssize_t got = pread(source, buffer.data(), buffer.size(), begin);
  return got <= 0 ? got : pwrite(target, buffer.data(), static_cast<size_t>(got), begin);
}

// Bytes [begin, end), which hold data.
Status CopyRange(int source, int target, off_t begin, off_t end) {
  while (begin < end) {
    const ssize_t copied = CopySome(source, target, begin, end);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return FromErrno("copy a disk");
    if (copied == 0) return Unavailable("a disk became shorter while it was copied");
    begin += copied;
  }
  return OkStatus();
}

Status CopyData(int source, int target) {
  struct stat found {};
  if (fstat(source, &found) != 0) return FromErrno("look at a disk");
  if (ftruncate(target, found.st_size) != 0) return FromErrno("make a disk");
  for (off_t end = 0;;) {
    const off_t begin = lseek(source, end, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) return OkStatus();  // a hole to the end
    if (begin < 0) return FromErrno("look at a disk");
    end = lseek(source, begin, SEEK_HOLE);
    if (end < 0) return FromErrno("look at a disk");
    TRY(CopyRange(source, target, begin, end));
  }
}

}  // namespace

Status CopySparse(int source, const std::string& path) {
  const UniqueFd target(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target.valid() && errno == EEXIST) return AlreadyExists("{} exists already", path);
  if (!target.valid()) return FromErrno("make {}", path);
  if (ioctl(target.get(), FICLONE, source) == 0) return OkStatus();
  const Status copied = CopyData(source, target.get());
  if (copied.ok()) return copied;
  unlink(path.c_str());
  return Annotate(copied, "{}", path);
}

}  // namespace capsem::service
