// Platform: cgroup2; elsewhere: DelegatedFolder says that there is none.
#include "supervise/cgroup_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <sstream>

#include "base/unique_fd.h"

namespace capsem::service {
namespace {

constexpr size_t kMaxFile = 64 * 1024;

// systemd sets both where it may (since 251; before, only the second, which only root can read).
bool IsMarked(const std::string& folder) {
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    char value = 0;
    if (getxattr(folder.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

Status WriteControlFile(const std::string& file, std::string_view text) {
  const UniqueFd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return FromErrno("open {}", file);
  if (write(fd.get(), text.data(), text.size()) >= 0) return OkStatus();
  if (errno == EBUSY) {
    return FailedPrecondition(
        "write {} to {}: a cgroup whose groups have limits can have no process of its own", text,
        file);
  }
  return FromErrno("write {} to {}", text, file);
}

Status MakeGroup(const std::string& folder) {
  if (mkdir(folder.c_str(), 0755) == 0) return OkStatus();
  if (errno == EEXIST) return AlreadyExists("{} is there already", folder);
  return FromErrno("make {}", folder);
}

Status RemoveGroup(const std::string& folder) {
  if (rmdir(folder.c_str()) == 0) return OkStatus();
  if (errno == EBUSY) return FailedPrecondition("somebody lives in {}", folder);
  return FromErrno("remove {}", folder);
}

// Where a path of the tree is seen, by one line of mountinfo: its fourth word is the part of the
// tree that is mounted, the fifth where, and the file system's name comes after a lone "-".
std::string SeenAt(const std::string& mount, const std::string& path) {
  std::istringstream words(mount);
  std::string skipped, root, point, word;
  words >> skipped >> skipped >> skipped >> root >> point;
  while (words >> word && word != "-") {
  }
  if (!(words >> word) || word != "cgroup2") return {};
  if (root == "/") return path == "/" ? point : point + path;
  if (path == root) return point;
  return path.starts_with(root + "/") ? point + path.substr(root.size()) : std::string();
}

Status NotDelegated(const std::string& why) {
  return WithRemedy(FailedPrecondition("{}", why),
                    "systemd delegates one to the service when that runs as its unit: `systemctl "
                    "--user start capsem`");
}

// Where a service may be put below the folder that it may divide: by itself or by its unit
// (kServiceGroup), and, for what its unit runs beside it, by systemd.
bool IsInnerName(const std::string& name) {
  static const std::set<std::string> kInner = {kServiceGroup, ".control"};
  return kInner.contains(name);
}

}  // namespace

CgroupFiles::CgroupFiles()
    : marked(IsMarked), write(WriteControlFile), make(MakeGroup), remove(RemoveGroup) {}

StatusOr<std::string> ReadControlFile(const std::string& file) {
  const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FromErrno("open {}", file);
  std::string text;
  char chunk[4096];
  while (text.size() < kMaxFile) {
    const ssize_t count = read(fd.get(), chunk, sizeof chunk);
    if (count < 0) return FromErrno("read {}", file);
    if (count == 0) break;
    text.append(chunk, static_cast<size_t>(count));
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

StatusOr<std::set<std::string>> ControllersOf(const std::string& folder) {
  std::istringstream words(TRY(ReadControlFile(folder + "/cgroup.controllers")));
  return std::set<std::string>{std::istream_iterator<std::string>(words), {}};
}

StatusOr<std::string> GroupOf(const CgroupFiles& files, const std::string& pid) {
  std::istringstream groups(TRY(ReadControlFile(files.proc + "/" + pid + "/cgroup")));
  constexpr std::string_view kVersion2 = "0::";
  std::string line;
  while (std::getline(groups, line) && !line.starts_with(kVersion2)) {
  }
  if (!line.starts_with(kVersion2)) return FailedPrecondition("this host has no cgroup v2");
  const std::string path = line.substr(kVersion2.size());
  std::istringstream mounts(TRY(ReadControlFile(files.proc + "/self/mountinfo")));
  while (std::getline(mounts, line)) {
    std::string seen = SeenAt(line, path);
    if (!seen.empty()) return seen;
  }
  return FailedPrecondition("cgroup v2 is not mounted where this process could see it");
}

StatusOr<std::string> DelegatedFolder(const CgroupFiles& files) {
  const auto own = GroupOf(files, "self");
  if (!own.ok()) return NotDelegated(std::string(Message(own.status())));
  if (files.marked(*own)) return *own;
  const std::filesystem::path folder(*own);
  std::string outer = folder.parent_path().string();
  if (IsInnerName(folder.filename().string()) && files.marked(outer)) return outer;
  return NotDelegated(fmt::format("the service's cgroup, {}, is not delegated to it", *own));
}

}  // namespace capsem::service
