#include "host_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "copy_end.h"
#include "output.h"
#include "wire/file_path.h"

namespace capsem::cli {
namespace {

Status HostError(int error, const std::string& path) {
  const std::string shown = Printable(path);
  switch (error) {
    case ENOENT: return WithRemedy(NotFound("there is no {} on this host", shown), "make it first");
    case ELOOP:
    case ENOTDIR:
      return WithRemedy(FailedPrecondition("{} on this host is no folder, or a link to one", shown),
                        "choose another destination, or remove it");
    case EISDIR:
    case ENOTEMPTY:
      return WithRemedy(FailedPrecondition("{} on this host is a folder", shown),
                        "choose another destination, or remove it");
    case ENOSPC:
    case EDQUOT:
      return WithRemedy(ResourceExhausted("no space is left on this host for {}", shown),
                        "free some there");
    case EACCES:
    case EPERM:
    case EROFS:
      return WithRemedy(
          PermissionDenied("{} on this host cannot be written: {}", shown, strerror(error)),
          "choose another destination");
    default: return Internal("{} on this host: {}", shown, strerror(error));
  }
}

Status CheckName(const std::string& name) {
  if (wire::IsFileName(name)) return OkStatus();
  return WithRemedy(InvalidArgument("\"{}\" is not the name of a file", Printable(name)),
                    "the guest is broken or hostile: look at it before you copy from it");
}

}  // namespace

bool StaysInside(std::string_view target, size_t depth) {
  if (target.empty() || target.starts_with('/')) return false;
  bool named = false;
  while (!target.empty()) {
    const size_t end = std::min(target.find('/'), target.size());
    const std::string_view part = target.substr(0, end);
    target.remove_prefix(std::min(end + 1, target.size()));
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      named = true;
    } else if (named || depth-- == 0) {
      return false;
    }
  }
  return true;
}

Status HostFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(file_.fd(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return HostError(errno, path_);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return OkStatus();
}

Status HostFile::Commit(mode_t mode) {
  if (fchmod(file_.fd(), mode & 0777) != 0) return HostError(errno, path_);
  const int failed = file_.TakeName(name_, UnnamedFile::Existing::kReplace);
  return failed == 0 ? OkStatus() : HostError(failed, path_);
}

StatusOr<HostFolder> HostFolder::Open(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return HostError(errno, path);
  return HostFolder(std::move(fd), path, false);
}

StatusOr<HostFile> HostFolder::Create(const std::string& name) const {
  TRY(CheckName(name));
  HostFile file(name, Join(path_, name));
  struct stat there {};
  const bool exists = fstatat(fd_.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && S_ISDIR(there.st_mode)) return HostError(EISDIR, file.path_);
  if (exists && !S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode)) {
    return WithRemedy(FailedPrecondition("{} on this host is a device, a pipe or a socket",
                                         Printable(file.path_)),
                      "choose another destination; `-` is stdout");
  }
  const int failed = file.file_.Open(fd_.get());
  if (failed != 0) return HostError(failed, file.path_);
  return file;
}

StatusOr<HostFolder> HostFolder::Enter(const std::string& name) const {
  TRY(CheckName(name));
  const std::string path = Join(path_, name);
  // Ours alone until all is in it.
  const bool made = mkdirat(fd_.get(), name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return HostError(errno, path);
  UniqueFd fd(openat(fd_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return HostError(errno, path);
  return HostFolder(std::move(fd), path, made);
}

Status HostFolder::Link(const std::string& name, const std::string& target, size_t depth) const {
  TRY(CheckName(name));
  const std::string path = Join(path_, name);
  if (!StaysInside(target, depth)) {
    return FailedPrecondition("{} is a symbolic link that may lead out of what is copied: {}",
                              Printable(path), Printable(target));
  }
  struct stat there {};
  if (fstatat(fd_.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISDIR(there.st_mode)) return HostError(EISDIR, path);
    if (unlinkat(fd_.get(), name.c_str(), 0) != 0) return HostError(errno, path);
  }
  if (symlinkat(target.c_str(), fd_.get(), name.c_str()) != 0) return HostError(errno, path);
  return OkStatus();
}

Status HostFolder::SetMode(mode_t mode) const {
  if (!made_ || fchmod(fd_.get(), mode & 0777) == 0) return OkStatus();
  return HostError(errno, path_);
}

}  // namespace capsem::cli
