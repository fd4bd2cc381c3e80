#include "base/unnamed_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>

namespace capsem {
namespace {

int Link(int file, int folder, const std::string& name, int proc) {
  const std::string path = fmt::format("{}self/fd/{}", proc < 0 ? "/proc/" : "", file);
  const int linked = linkat(proc, path.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW);
  return linked == 0 ? 0 : errno;
}

}  // namespace

std::string HiddenName() {
  uint64_t number = 0;
  [[maybe_unused]] const ssize_t count = getrandom(&number, sizeof number, 0);
  return fmt::format(".capsem-{:016x}", number);
}

UnnamedFile::~UnnamedFile() {
  if (!stand_in_.empty()) unlinkat(folder_, stand_in_.c_str(), 0);
}

int UnnamedFile::Open(int folder) {
  folder_ = folder;
  fd_.Reset(openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (fd_.valid()) return 0;
  // EISDIR, ENOENT: of a kernel or file system that takes it for an ordinary open.
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL) return errno;
  std::string name = HiddenName();
  fd_.Reset(
      openat(folder, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd_.valid()) return errno;
  stand_in_ = std::move(name);
  return 0;
}

int UnnamedFile::TakeName(const std::string& name, Existing existing, int proc) {
  if (stand_in_.empty()) {
    // A name that nobody has is taken directly; one that is taken changes hands by a rename.
    int failed = Link(fd_.get(), folder_, name, proc);
    if (failed != EEXIST || existing == Existing::kRefuse) return failed;
    const std::string hidden = HiddenName();
    failed = Link(fd_.get(), folder_, hidden, proc);
    if (failed != 0) return failed;
    stand_in_ = hidden;
  }
  const unsigned flags = existing == Existing::kRefuse ? RENAME_NOREPLACE : 0;
  if (renameat2(folder_, stand_in_.c_str(), folder_, name.c_str(), flags) != 0) return errno;
  stand_in_.clear();
  return 0;
}

}  // namespace capsem
