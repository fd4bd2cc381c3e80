#include "copy_from_guest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>

#include "copy_end.h"
#include "output.h"

namespace capsem::cli {
namespace {

// Where on this host: a name in a folder; "" = the folder itself.
struct HostPlace {
  HostFolder folder;
  std::string name;
};

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// The user's own links are followed, so that the file is replaced that they lead to.
std::string Resolved(const std::string& path) {
  char whole[PATH_MAX];
  return realpath(path.c_str(), whole) == nullptr ? path : whole;
}

StatusOr<HostPlace> PlaceOf(std::string destination, const std::string& name, bool is_folder) {
  struct stat there {};
  const bool exists = stat(destination.c_str(), &there) == 0;
  if (exists && S_ISDIR(there.st_mode)) return HostPlace{TRY(HostFolder::Open(destination)), name};
  if (exists && is_folder) {
    return WithRemedy(FailedPrecondition("{} on this host is no folder", Printable(destination)),
                      "name a folder, or a name that is still free");
  }
  if (!exists && !is_folder && destination.ends_with('/')) {
    return WithRemedy(NotFound("there is no folder {} on this host", Printable(destination)),
                      "make it first");
  }
  while (destination.size() > 1 && destination.ends_with('/')) destination.pop_back();
  if (exists) destination = Resolved(destination);
  return HostPlace{TRY(HostFolder::Open(FolderOf(destination))), BaseName(destination)};
}

}  // namespace

Status CopyFromGuest::Copy(const std::string& source, const std::string& destination) {
  const v1::FileInfo info = TRY(guest_.Stat(source));
  const std::string name = BaseName(source);
  if (info.type() == v1::FILE_TYPE_FILE) {
    const HostPlace place = TRY(PlaceOf(destination, name, false));
    return CopyFile(source, place.folder, place.name);
  }
  if (info.type() != v1::FILE_TYPE_FOLDER) {
    return WithRemedy(
        FailedPrecondition("{} in the session is neither a file nor a folder", Printable(source)),
        "devices, pipes and sockets are for commands: `capsem exec`");
  }
  const HostPlace place = TRY(PlaceOf(destination, name, true));
  if (place.name.empty()) return CopyFolder(source, place.folder, 0);
  const HostFolder folder = TRY(place.folder.Enter(place.name));
  TRY(CopyFolder(source, folder, 0));
  return folder.SetMode(info.mode());
}

Status CopyFromGuest::CopyFile(const std::string& source, const HostFolder& folder,
                               const std::string& name) {
  HostFile file = TRY(folder.Create(name));
  mode_t mode = 0;
  TRY(guest_.Read(
      source,
      [&](const v1::FileInfo& info) {
        mode = info.mode();
        progress_.Begin(name, info.size());
        return OkStatus();
      },
      [&](std::string_view bytes) {
        progress_.Add(bytes.size());
        return file.Write(bytes);
      }));
  ++tally_.files;
  return file.Commit(mode);
}

Status CopyFromGuest::CopyFolder(const std::string& source, const HostFolder& folder,
                                 size_t depth) {
  ++tally_.folders;
  const std::vector<v1::FileEntry> entries = TRY(guest_.List(source));
  for (const v1::FileEntry& entry : entries) TRY(CopyEntry(source, entry, folder, depth));
  return OkStatus();
}

Status CopyFromGuest::CopyEntry(const std::string& source, const v1::FileEntry& entry,
                                const HostFolder& folder, size_t depth) {
  const std::string path = Join(source, entry.name());
  switch (entry.info().type()) {
    case v1::FILE_TYPE_FILE: return CopyFile(path, folder, entry.name());
    case v1::FILE_TYPE_FOLDER: {
      const HostFolder below = TRY(folder.Enter(entry.name()));
      TRY(CopyFolder(path, below, depth + 1));
      return below.SetMode(entry.info().mode());
    }
    case v1::FILE_TYPE_SYMLINK: {
      const std::string& target = entry.info().link_target();
      if (!StaysInside(target, depth)) {
        tally_.skipped.push_back(
            fmt::format("{} is a symbolic link that leads out of what is "
                        "copied, to {}",
                        Printable(path), Printable(target)));
        return OkStatus();
      }
      ++tally_.links;
      return folder.Link(entry.name(), target, depth);
    }
    default: break;
  }
  tally_.skipped.push_back(fmt::format("{} is a device, a pipe or a socket", Printable(path)));
  return OkStatus();
}

}  // namespace capsem::cli
