// The tree of files that the API gives, and the only way to one of them: a path is walked once, by
// the kernel, and what was found there is used by its descriptor. Whoever swaps a name or a link
// meanwhile changes nothing. Blocks: only for the process of one operation, never for the loop.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "capsem/guest/v1/guest.pb.h"

namespace capsem::agent {

class FileTree {
 public:
  enum class LastLink { kKeep, kFollow };
  // `root` is where paths begin, `proc` a descriptor of /proc; both are the caller's.
  FileTree(int root, int proc) : root_(root), proc_(proc) {}

  // A folder, by a descriptor that can only be walked from, and a name in it ("." of the root).
  struct Place {
    UniqueFd folder;
    std::string name;
    std::string path;  // for errors
  };
  // FailedPrecondition: the kernel makes up what is there (/proc, /sys, /dev).
  StatusOr<Place> Find(std::string_view path) const;

  struct Found {
    UniqueFd fd;  // O_PATH
    struct stat stat;
    std::string path;
  };
  StatusOr<Found> Look(std::string_view path, LastLink last_link) const;
  // The last name of a place; NotFound.
  StatusOr<Found> LookAt(const Place& place) const;
  // The same file, now to be used. Regular files and folders only: FailedPrecondition for others,
  // and they are never opened.
  StatusOr<UniqueFd> Reopen(const Found& found, int flags) const;
  int proc() const { return proc_; }

 private:
  StatusOr<UniqueFd> Walk(const std::string& path, uint64_t flags) const;
  Status CheckFileSystem(int fd, const std::string& path) const;

  const int root_;
  const int proc_;
};

capsem::guest::v1::FileInfo InfoOf(const FileTree::Found& found);

}  // namespace capsem::agent
