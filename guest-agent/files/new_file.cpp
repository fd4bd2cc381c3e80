#include "files/new_file.h"

#include <unistd.h>

#include "files/file_error.h"

namespace capsem::agent {
namespace {

constexpr mode_t kDefaultMode = 0644;

Status CheckReplaced(const FileTree::Found& old, NewFile::Existing existing) {
  if (S_ISDIR(old.stat.st_mode)) return FileError(EISDIR, old.path);
  if (existing == NewFile::Existing::kRefuse) return FileError(EEXIST, old.path);
  if (S_ISREG(old.stat.st_mode) || S_ISLNK(old.stat.st_mode)) return OkStatus();
  return WithRemedy(FailedPrecondition("{} is a device, a pipe or a socket", ShowPath(old.path)),
                    "remove it first, or choose another name");
}

}  // namespace

StatusOr<NewFile> NewFile::Create(const FileTree& tree, std::string_view path,
                                  std::optional<mode_t> mode, Existing existing) {
  NewFile file(tree, TRY(tree.Find(path)), existing);
  const auto old = tree.LookAt(file.place_);
  if (!old.ok() && old.status().code() != StatusCode::kNotFound) return old.status();
  if (old.ok()) TRY(CheckReplaced(*old, existing));
  const bool was_file = old.ok() && S_ISREG(old->stat.st_mode);
  const mode_t default_mode = was_file ? old->stat.st_mode & 0777 : kDefaultMode;
  TRY(file.MakeRoom(mode.value_or(default_mode), was_file ? &old->stat : nullptr));
  return file;
}

Status NewFile::MakeRoom(mode_t mode, const struct stat* old) {
  if (const int failed = file_.Open(place_.folder.get()); failed != 0)
    return FileError(failed, place_.path);
  // The owner stays; where that cannot be (a file system without owners), the file is still the
  // one that was asked for.
  if (old != nullptr && fchown(file_.fd(), old->st_uid, old->st_gid) != 0 && errno != EPERM)
    return FileError(errno, place_.path);
  if (fchmod(file_.fd(), mode & 0777) != 0) return FileError(errno, place_.path);
  return OkStatus();
}

Status NewFile::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(file_.fd(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(errno, place_.path);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return OkStatus();
}

StatusOr<capsem::guest::v1::FileInfo> NewFile::Commit() {
  if (fsync(file_.fd()) != 0) return FileError(errno, place_.path);
  if (const int failed = file_.TakeName(place_.name, existing_, tree_.proc()); failed != 0)
    return FileError(failed, place_.path);
  FileTree::Found made{UniqueFd(dup(file_.fd())), {}, place_.path};
  if (fstat(file_.fd(), &made.stat) != 0) return FileError(errno, place_.path);
  return InfoOf(made);
}

}  // namespace capsem::agent
