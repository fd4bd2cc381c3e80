#include "files/folder_list.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "files/file_error.h"

namespace capsem::agent {
namespace {

using capsem::guest::v1::FileEntries;

bool IsItself(std::string_view name) { return name == "." || name == ".."; }

// Nothing when it has gone meanwhile.
void Add(const FileTree& tree, const FileTree::Place& place, FileEntries& entries) {
  const auto found = tree.LookAt(place);
  if (!found.ok()) return;
  auto& entry = *entries.add_entries();
  entry.set_name(place.name);
  *entry.mutable_info() = InfoOf(*found);
}

}  // namespace

Status ListFolder(const FileTree& tree, const capsem::guest::v1::FileRequest& request,
                  FileFrames& host) {
  const auto found = TRY(tree.Look(request.path(), FileTree::LastLink::kFollow));
  if (!S_ISDIR(found.stat.st_mode)) return FileError(ENOTDIR, found.path);
  UniqueFd folder = TRY(tree.Reopen(found, O_RDONLY | O_DIRECTORY));
  FileTree::Place place{UniqueFd(dup(folder.get())), "", found.path};
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fdopendir(folder.Release()), closedir);
  if (!listing || !place.folder.valid()) return FileError(errno, found.path);
  FileEntries entries;
  errno = 0;
  while (const dirent* next = readdir(listing.get())) {
    place.name = next->d_name;
    if (!IsItself(place.name)) Add(tree, place, entries);
    if (entries.ByteSizeLong() >= wire::kMaxFileEntries) {
      TRY(host.Send(wire::FrameKind::kFileEntries, entries));
      entries.Clear();
    }
    errno = 0;
  }
  if (errno != 0) return FileError(errno, found.path);
  if (entries.entries_size() == 0) return OkStatus();
  return host.Send(wire::FrameKind::kFileEntries, entries);
}

}  // namespace capsem::agent
