// A folder of this host that a copy from a session may write below, and nowhere else: every name is
// checked, every step is taken from the folder's descriptor, and no symbolic link is followed,
// whatever a hostile guest lists and whoever else changes the tree meanwhile.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "base/unnamed_file.h"

namespace capsem::cli {

// A file that appears whole, when it is committed.
class HostFile {
 public:
  Status Write(std::string_view bytes);
  // Permissions only: no setuid comes out of a session.
  Status Commit(mode_t mode);

 private:
  friend class HostFolder;
  explicit HostFile(std::string name, std::string path)
      : name_(std::move(name)), path_(std::move(path)) {}
  const std::string name_;
  const std::string path_;
  UnnamedFile file_;
};

class HostFolder {
 public:
  // As the user names it: links are followed here.
  static StatusOr<HostFolder> Open(const std::string& path);

  const std::string& path() const { return path_; }
  // For each of these: InvalidArgument when `name` is not one name. FailedPrecondition when what is
  // there is of another kind.
  // The file must not outlive the folder.
  StatusOr<HostFile> Create(const std::string& name) const;
  // Makes it when it is missing.
  StatusOr<HostFolder> Enter(const std::string& name) const;
  // FailedPrecondition: the target could lead out of the tree that is copied, whose root is `depth`
  // folders above this one. A file or link that has the name is replaced.
  Status Link(const std::string& name, const std::string& target, size_t depth) const;
  // Of a folder that Enter has made; others keep theirs.
  Status SetMode(mode_t mode) const;

 private:
  HostFolder(UniqueFd fd, std::string path, bool made)
      : fd_(std::move(fd)), path_(std::move(path)), made_(made) {}
  UniqueFd fd_;
  std::string path_;
  bool made_;
};

// Pure: may a link with this target lie `depth` folders below the root of a copied tree? Only when
// it is relative, `..` stands in front only, and as often as there are folders above: then no chain
// of such links leads out.
bool StaysInside(std::string_view target, size_t depth);

}  // namespace capsem::cli
