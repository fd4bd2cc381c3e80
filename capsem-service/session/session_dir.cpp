#include "session/session_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/small_file.h"
#include "wire/run_dir.h"

namespace capsem::service {
namespace fs = std::filesystem;

Status MakeSessionDir(const std::string& path) {
  const std::string guest = path + "/" + session_file::kGuestDir;
  if (mkdir(path.c_str(), 0700) != 0) return FromErrno("make the session's folder {}", path);
  if (mkdir(guest.c_str(), 0700) == 0) return OkStatus();
  const Status status = FromErrno("make the session's folder {}", guest);
  rmdir(path.c_str());
  return status;
}

Status RemoveSessionDir(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return OkStatus();
  return WithRemedy(
      ErrnoStatus(error.value(), fmt::format("remove the session's folder {}", path)),
      "see what keeps it (its permissions, `lsattr`, `mount`), then delete the session again");
}

void SweepSessionDir(const std::string& path) {
  const std::string socket = path + "/" + session_file::kProcessSocket;
  const std::string disk = path + "/" + session_file::kUnfinishedDisk;
  for (const std::string& name : {socket, socket + "~", disk}) unlink(name.c_str());
  RemoveUnfinishedIn(path);
}

void RemoveSessionDisk(const std::string& path) {
  unlink((path + "/" + session_file::kDisk).c_str());
}

StatusOr<UniqueFd> OpenSessionDisk(const std::string& path) {
  const std::string disk = path + "/" + session_file::kDisk;
  UniqueFd fd(open(disk.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return FromErrno("open the disk {}", disk);
  return fd;
}

std::vector<SessionId> SessionDirsIn(const std::string& sessions) {
  std::vector<SessionId> ids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(sessions, error)) {
    auto id = SessionId::Parse(entry.path().filename().string());
    if (id.ok() && entry.symlink_status().type() == fs::file_type::directory)
      ids.push_back(*std::move(id));
  }
  return ids;
}

}  // namespace capsem::service
