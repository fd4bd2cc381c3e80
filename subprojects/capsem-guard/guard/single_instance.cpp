#include "guard/single_instance.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace capsem {
namespace {

// Whether the path still names the file that is open: it may have been replaced before the lock was
// ours, and a lock on a file that nobody else can find locks nobody out.
bool IsStillAt(int fd, const std::string& path) {
  struct stat open_file {};
  struct stat at_path {};
  return fstat(fd, &open_file) == 0 && stat(path.c_str(), &at_path) == 0 &&
         open_file.st_dev == at_path.st_dev && open_file.st_ino == at_path.st_ino;
}

void WriteOwner(int fd, std::string_view note) {
  const std::string owner = fmt::format("{}{}{}\n", getpid(), note.empty() ? "" : " ", note);
  [[maybe_unused]] const bool written =
      ftruncate(fd, 0) == 0 && pwrite(fd, owner.data(), owner.size(), 0) > 0;
}

}  // namespace

StatusOr<std::optional<SingleInstance>> SingleInstance::Acquire(const std::string& path,
                                                                std::string_view note) {
  if (path.find('\0') != std::string::npos) {
    return InvalidArgument("the path of a lock file has a NUL in it");
  }
  while (true) {
    UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.valid()) return FromErrno("open the lock file {}", path);
    // flock and not fcntl: its lock is of this open file, so a second Acquire in this process fails
    // too, and closing another descriptor of the file does not give it up.
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      return FromErrno("lock {}", path);
    }
    if (!IsStillAt(file.get(), path)) continue;
    WriteOwner(file.get(), note);
    return SingleInstance(std::move(file));
  }
}

}  // namespace capsem
