// What changes the names in a folder: made, moved, removed. Each answers with what is there now.
// Blocks, like the tree.
#pragma once

#include <optional>

#include "base/status.h"
#include "files/file_tree.h"

namespace capsem::agent {

// `parents`: and what is missing above; a folder that is there is fine.
StatusOr<capsem::guest::v1::FileInfo> MakeFolder(const FileTree& tree, std::string_view path,
                                                 std::optional<mode_t> mode, bool parents);
StatusOr<capsem::guest::v1::FileInfo> RenameEntry(const FileTree& tree, std::string_view path,
                                                  std::string_view new_path, bool replace);
StatusOr<capsem::guest::v1::FileInfo> MakeSymlink(const FileTree& tree, std::string_view path,
                                                  const std::string& target, bool replace);
// Symbolic links are removed, never followed; a file system that is mounted below is not entered.
Status RemoveEntry(const FileTree& tree, std::string_view path, bool recursive);

}  // namespace capsem::agent
