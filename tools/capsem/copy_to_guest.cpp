#include "copy_to_guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "copy_end.h"
#include "output.h"

namespace capsem::cli {
namespace {

constexpr mode_t kPermissions = 0777;

Status CannotRead(int error, const std::string& path) {
  const std::string shown = Printable(path);
  if (error == ENOENT)
    return WithRemedy(NotFound("there is no {} on this host", shown), "look at its spelling");
  if (error == EACCES || error == EPERM)
    return WithRemedy(PermissionDenied("{} on this host may not be read", shown),
                      "copy it as somebody who may");
  return Internal("{} on this host cannot be read: {}", shown, strerror(error));
}

// The name that a source has in a folder; "" when what it holds is meant.
std::string NameOf(const std::string& source) {
  const std::string name = BaseName(source);
  char whole[PATH_MAX];
  if (name != ".." || realpath(source.c_str(), whole) == nullptr) return name;
  return BaseName(whole);
}

// Names in order, so that two copies go alike; an errno.
int ReadNames(UniqueFd folder, std::vector<std::string>& names) {
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fdopendir(folder.Release()), closedir);
  if (!listing) return errno;
  errno = 0;
  while (const dirent* entry = readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return errno;
}

}  // namespace

Status CopyToGuest::Copy(const std::string& source, const std::string& destination) {
  // A pipe without a writer shall not be waited for.
  UniqueFd fd(open(source.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat stat {};
  if (!fd.valid() || fstat(fd.get(), &stat) != 0) return CannotRead(errno, source);
  if (S_ISREG(stat.st_mode))
    return CopyFile(fd.get(), source, TRY(PlaceOf(destination, NameOf(source), false)));
  if (!S_ISDIR(stat.st_mode)) {
    return WithRemedy(
        FailedPrecondition("{} on this host is neither a file nor a folder", Printable(source)),
        fmt::format("what it says can be copied from stdin: capsem cp - … <{}", Printable(source)));
  }
  const std::string place = TRY(PlaceOf(destination, NameOf(source), true));
  return CopyFolder(std::move(fd), source, place);
}

Status CopyToGuest::CopyStream(int fd, const std::string& destination) {
  progress_.Begin(destination, 0);
  ++tally_.files;
  return guest_.Write(destination, std::nullopt, fd,
                      [this](size_t bytes) { progress_.Add(bytes); });
}

StatusOr<std::string> CopyToGuest::PlaceOf(const std::string& destination, const std::string& name,
                                           bool is_folder) {
  const auto there = guest_.Stat(destination);
  if (!there.ok()) {
    if (there.status().code() != StatusCode::kNotFound) return there.status();
    if (!is_folder && destination.ends_with('/')) return there.status();
    return destination;
  }
  if (there->type() == v1::FILE_TYPE_FOLDER)
    return name.empty() ? destination : Join(destination, name);
  if (!is_folder) return destination;
  return WithRemedy(FailedPrecondition("{} in the session is no folder", Printable(destination)),
                    "name a folder, or a name that is still free");
}

Status CopyToGuest::CopyFile(int fd, const std::string& shown, const std::string& destination) {
  struct stat stat {};
  if (fstat(fd, &stat) != 0) return CannotRead(errno, shown);
  progress_.Begin(shown, static_cast<uint64_t>(stat.st_size));
  ++tally_.files;
  return guest_.Write(destination, stat.st_mode & kPermissions, fd,
                      [this](size_t bytes) { progress_.Add(bytes); });
}

Status CopyToGuest::MakeFolder(const std::string& path, mode_t mode) {
  const Status made = guest_.Mkdir(path, mode);
  if (made.code() != StatusCode::kAlreadyExists) return made;
  const auto there = guest_.Stat(path);
  return there.ok() && there->type() == v1::FILE_TYPE_FOLDER ? OkStatus() : made;
}

Status CopyToGuest::CopyFolder(UniqueFd folder, const std::string& shown,
                               const std::string& destination) {
  struct stat stat {};
  if (fstat(folder.get(), &stat) != 0) return CannotRead(errno, shown);
  TRY(MakeFolder(destination, stat.st_mode & kPermissions));
  ++tally_.folders;
  std::vector<std::string> names;
  const int failed = ReadNames(UniqueFd(fcntl(folder.get(), F_DUPFD_CLOEXEC, 3)), names);
  if (failed != 0) return CannotRead(failed, shown);
  for (const std::string& name : names)
    TRY(CopyEntry(folder.get(), name, Join(shown, name), Join(destination, name)));
  return OkStatus();
}

Status CopyToGuest::CopyEntry(int folder, const std::string& name, const std::string& shown,
                              const std::string& destination) {
  struct stat stat {};
  if (fstatat(folder, name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0)
    return CannotRead(errno, shown);
  if (S_ISLNK(stat.st_mode)) {
    char target[PATH_MAX];
    const ssize_t size = readlinkat(folder, name.c_str(), target, sizeof target);
    if (size < 0) return CannotRead(errno, shown);
    ++tally_.links;
    return guest_.Symlink(destination, std::string(target, static_cast<size_t>(size)));
  }
  if (!S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode)) {
    tally_.skipped.push_back(fmt::format("{} is a device, a pipe or a socket", Printable(shown)));
    return OkStatus();
  }
  constexpr int kHow = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd fd(openat(folder, name.c_str(), kHow));
  if (!fd.valid()) return CannotRead(errno, shown);
  if (S_ISDIR(stat.st_mode)) return CopyFolder(std::move(fd), shown, destination);
  return CopyFile(fd.get(), shown, destination);
}

}  // namespace capsem::cli
