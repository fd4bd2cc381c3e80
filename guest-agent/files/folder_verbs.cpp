#include "files/folder_verbs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "base/unnamed_file.h"
#include "files/file_error.h"
#include "wire/file_path.h"

namespace capsem::agent {
namespace {

using capsem::guest::v1::FileInfo;

constexpr mode_t kFolderMode = 0755;

StatusOr<FileInfo> InfoAt(const FileTree& tree, const FileTree::Place& place) {
  return InfoOf(TRY(tree.LookAt(place)));
}

Status MakeParents(const FileTree& tree, const std::string& folder) {
  for (size_t end = 0; end != std::string::npos && folder != "/";) {
    end = folder.find('/', end + 1);
    const FileTree::Place place = TRY(tree.Find(folder.substr(0, end)));
    if (mkdirat(place.folder.get(), place.name.c_str(), kFolderMode) != 0 && errno != EEXIST)
      return FileError(errno, place.path);
  }
  return OkStatus();
}

// By way of a name that nobody has. An errno.
int ReplaceByLink(const FileTree::Place& place, const std::string& target) {
  const int folder = place.folder.get();
  const std::string beside = HiddenName();
  if (symlinkat(target.c_str(), folder, beside.c_str()) != 0) return errno;
  if (renameat(folder, beside.c_str(), folder, place.name.c_str()) == 0) return 0;
  const int failed = errno;
  unlinkat(folder, beside.c_str(), 0);
  return failed;
}

// A folder that is being emptied, and its name in the one above.
struct Emptied {
  std::unique_ptr<DIR, int (*)(DIR*)> listing{nullptr, closedir};
  std::string name;
};

// An errno.
int OpenToEmpty(int folder, const std::string& name, dev_t device, Emptied& emptied) {
  UniqueFd fd(openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat stat {};
  if (!fd.valid() || fstat(fd.get(), &stat) != 0) return errno;
  if (stat.st_dev != device) return EBUSY;
  emptied.listing.reset(fdopendir(fd.Release()));
  emptied.name = name;
  return emptied.listing ? 0 : errno;
}

// The next entry that is there; "" at the end.
std::string NextName(DIR* listing) {
  while (const dirent* next = readdir(listing)) {
    std::string name = next->d_name;
    if (name != "." && name != "..") return name;
  }
  return {};
}

// Removes what the innermost folder holds; goes into the first folder it meets, or out of it when
// it is empty. An errno.
int EmptyOne(std::vector<Emptied>& open, int above, dev_t device) {
  const int folder = dirfd(open.back().listing.get());
  for (std::string name; !(name = NextName(open.back().listing.get())).empty();) {
    if (unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) continue;
    const int of_unlink = errno;
    if (of_unlink != EISDIR && of_unlink != EPERM) return of_unlink;
    Emptied inner;
    const int error = OpenToEmpty(folder, name, device, inner);
    if (error != 0) return error == ENOTDIR ? of_unlink : error;
    open.push_back(std::move(inner));
    return 0;
  }
  const std::string name = open.back().name;
  open.pop_back();
  const int parent = open.empty() ? above : dirfd(open.back().listing.get());
  const bool removed = unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT;
  return removed ? 0 : errno;
}

// As many levels deep as there are descriptors: EMFILE below.
int RemoveTree(const FileTree::Place& place) {
  struct stat stat {};
  if (fstatat(place.folder.get(), place.name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0)
    return errno;
  std::vector<Emptied> open(1);
  int failed = OpenToEmpty(place.folder.get(), place.name, stat.st_dev, open.back());
  while (failed == 0 && !open.empty()) failed = EmptyOne(open, place.folder.get(), stat.st_dev);
  return failed;
}

}  // namespace

StatusOr<FileInfo> MakeFolder(const FileTree& tree, std::string_view path,
                              std::optional<mode_t> mode, bool parents) {
  if (parents) TRY(MakeParents(tree, TRY(wire::ParseFilePath(path)).folder));
  const FileTree::Place place = TRY(tree.Find(path));
  if (mkdirat(place.folder.get(), place.name.c_str(), 0700) != 0) {
    if (errno != EEXIST || !parents) return FileError(errno, place.path);
    const FileTree::Found there = TRY(tree.Look(path, FileTree::LastLink::kFollow));
    if (!S_ISDIR(there.stat.st_mode)) return FileError(EEXIST, place.path);
    return InfoOf(there);
  }
  // With the mode that was asked for, whatever the umask.
  const FileTree::Found made = TRY(tree.LookAt(place));
  const UniqueFd folder = TRY(tree.Reopen(made, O_RDONLY | O_DIRECTORY));
  if (fchmod(folder.get(), mode.value_or(kFolderMode) & 0777) != 0)
    return FileError(errno, place.path);
  return InfoAt(tree, place);
}

StatusOr<FileInfo> RenameEntry(const FileTree& tree, std::string_view path,
                               std::string_view new_path, bool replace) {
  const FileTree::Place from = TRY(tree.Find(path));
  const FileTree::Place to = TRY(tree.Find(new_path));
  TRY(tree.LookAt(from));
  if (renameat2(from.folder.get(), from.name.c_str(), to.folder.get(), to.name.c_str(),
                replace ? 0 : RENAME_NOREPLACE) != 0) {
    const int error = errno;
    return FileError(error, error == ENOENT ? from.path : to.path);
  }
  return InfoAt(tree, to);
}

StatusOr<FileInfo> MakeSymlink(const FileTree& tree, std::string_view path,
                               const std::string& target, bool replace) {
  const FileTree::Place place = TRY(tree.Find(path));
  int failed = symlinkat(target.c_str(), place.folder.get(), place.name.c_str()) == 0 ? 0 : errno;
  if (failed == EEXIST && replace) failed = ReplaceByLink(place, target);
  if (failed != 0) return FileError(failed, place.path);
  return InfoAt(tree, place);
}

Status RemoveEntry(const FileTree& tree, std::string_view path, bool recursive) {
  const FileTree::Place place = TRY(tree.Find(path));
  if (place.name == ".") return FileError(EBUSY, place.path);
  const FileTree::Found found = TRY(tree.LookAt(place));
  const bool is_folder = S_ISDIR(found.stat.st_mode);
  const int flags = is_folder ? AT_REMOVEDIR : 0;
  int failed = 0;
  if (is_folder && recursive) {
    failed = RemoveTree(place);
  } else if (unlinkat(place.folder.get(), place.name.c_str(), flags) != 0) {
    failed = errno;
  }
  return failed == 0 ? OkStatus() : FileError(failed, place.path);
}

}  // namespace capsem::agent
