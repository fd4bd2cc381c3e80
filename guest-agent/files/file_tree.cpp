// Platform: openat2; elsewhere: every operation fails with the kernel's error.
#include "files/file_tree.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "files/file_error.h"
#include "wire/file_path.h"

namespace capsem::agent {
namespace {

using capsem::guest::v1::FileInfo;

// File systems whose files are the kernel's words: reading them may wait or change something,
// writing them always does. devtmpfs has tmpfs's number, and is known by its place.
constexpr uint64_t kMadeUp[] = {
    PROC_SUPER_MAGIC, SYSFS_MAGIC,      CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
    TRACEFS_MAGIC,    SECURITYFS_MAGIC, BPF_FS_MAGIC,       DEVPTS_SUPER_MAGIC,  PSTOREFS_MAGIC,
    EFIVARFS_MAGIC,   SELINUX_MAGIC,    BINFMTFS_MAGIC,     0x62656570,  // configfs
    0x19800202,                                                          // mqueue
    0x65735543,  // the control files of fuse
};

// Whoever moves names without a pause shall not keep a process busy for ever.
constexpr int kMaxWalks = 100;

Status MadeUp(const std::string& path) {
  return WithRemedy(FailedPrecondition("{} is made up by the session's kernel", ShowPath(path)),
                    "read it with a command: `capsem exec SESSION cat …`");
}

}  // namespace

StatusOr<UniqueFd> FileTree::Walk(const std::string& path, uint64_t flags) const {
  open_how how{};
  how.flags = flags | O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd;
  // EAGAIN: names above a `..` of a link were moved during the walk, and it is for us to begin
  // anew.
  for (int walks = 0; !fd.valid() && (walks == 0 || errno == EAGAIN) && walks < kMaxWalks; ++walks)
    fd.Reset(static_cast<int>(syscall(SYS_openat2, root_, path.c_str(), &how, sizeof how)));
  if (!fd.valid()) return FileError(errno, path);
  return fd;
}

Status FileTree::CheckFileSystem(int fd, const std::string& path) const {
  struct statfs system {};
  if (fstatfs(fd, &system) != 0) return FileError(errno, path);
  if (std::ranges::find(kMadeUp, static_cast<uint64_t>(system.f_type)) != std::end(kMadeUp))
    return MadeUp(path);
  struct stat here {
  }, root{}, devices{};
  if (fstat(fd, &here) != 0 || fstat(root_, &root) != 0) return FileError(errno, path);
  const bool has_devices = fstatat(root_, "dev", &devices, AT_SYMLINK_NOFOLLOW) == 0;
  if (has_devices && devices.st_dev != root.st_dev && devices.st_dev == here.st_dev)
    return MadeUp(path);
  return OkStatus();
}

StatusOr<FileTree::Place> FileTree::Find(std::string_view path) const {
  const wire::FilePath parsed = TRY(wire::ParseFilePath(path));
  Place place{TRY(Walk(parsed.folder, O_DIRECTORY)), parsed.name.empty() ? "." : parsed.name,
              parsed.text()};
  TRY(CheckFileSystem(place.folder.get(), place.path));
  return place;
}

StatusOr<FileTree::Found> FileTree::Look(std::string_view path, LastLink last_link) const {
  const std::string whole = TRY(wire::ParseFilePath(path)).text();
  const uint64_t flags = last_link == LastLink::kFollow ? 0 : O_NOFOLLOW;
  Found found{TRY(Walk(whole, flags)), {}, whole};
  TRY(CheckFileSystem(found.fd.get(), whole));
  if (fstat(found.fd.get(), &found.stat) != 0) return FileError(errno, whole);
  return found;
}

StatusOr<FileTree::Found> FileTree::LookAt(const Place& place) const {
  Found found{
      UniqueFd(openat(place.folder.get(), place.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)),
      {},
      place.path};
  if (!found.fd.valid() || fstat(found.fd.get(), &found.stat) != 0)
    return FileError(errno, place.path);
  return found;
}

StatusOr<UniqueFd> FileTree::Reopen(const Found& found, int flags) const {
  if (!S_ISREG(found.stat.st_mode) && !S_ISDIR(found.stat.st_mode)) {
    return WithRemedy(FailedPrecondition("{} is neither a file nor a folder", ShowPath(found.path)),
                      "devices, pipes and sockets are for commands: `capsem exec`");
  }
  const std::string path = fmt::format("self/fd/{}", found.fd.get());
  UniqueFd fd(openat(proc_, path.c_str(), flags | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return FileError(errno, found.path);
  return fd;
}

FileInfo InfoOf(const FileTree::Found& found) {
  const struct stat& stat = found.stat;
  FileInfo info;
  if (S_ISREG(stat.st_mode)) {
    info.set_type(FileInfo::TYPE_FILE);
    info.set_size(static_cast<uint64_t>(stat.st_size));
  } else if (S_ISDIR(stat.st_mode)) {
    info.set_type(FileInfo::TYPE_FOLDER);
  } else if (S_ISLNK(stat.st_mode)) {
    char target[PATH_MAX];
    const ssize_t size = readlinkat(found.fd.get(), "", target, sizeof target - 1);
    info.set_type(FileInfo::TYPE_SYMLINK);
    info.set_link_target(target, static_cast<size_t>(std::max<ssize_t>(size, 0)));
  } else {
    info.set_type(FileInfo::TYPE_OTHER);
  }
  info.set_mode(stat.st_mode & 07777);
  info.set_modified_unix_ns(int64_t{stat.st_mtim.tv_sec} * 1'000'000'000 + stat.st_mtim.tv_nsec);
  info.set_uid(stat.st_uid);
  info.set_gid(stat.st_gid);
  return info;
}

}  // namespace capsem::agent
