// A file that is being written: it takes its name when all bytes are there and synced; whoever
// drops it before leaves nothing. Blocks, like the tree.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "base/unnamed_file.h"
#include "files/file_tree.h"

namespace capsem::agent {

class NewFile {
 public:
  using Existing = UnnamedFile::Existing;

  // AlreadyExists: kRefuse, and something has the name. FailedPrecondition: a folder or a device
  // has it. `mode`: absent = that of the file that is replaced, or 0644.
  static StatusOr<NewFile> Create(const FileTree& tree, std::string_view path,
                                  std::optional<mode_t> mode, Existing existing);

  Status Write(std::string_view bytes);
  // What is there now.
  StatusOr<capsem::guest::v1::FileInfo> Commit();

 private:
  NewFile(const FileTree& tree, FileTree::Place place, Existing existing)
      : tree_(tree), place_(std::move(place)), existing_(existing) {}
  Status MakeRoom(mode_t mode, const struct stat* old);

  const FileTree& tree_;
  FileTree::Place place_;
  Existing existing_;
  UnnamedFile file_;  // after its folder: destroyed first
};

}  // namespace capsem::agent
