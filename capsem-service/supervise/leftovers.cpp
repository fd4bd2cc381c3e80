// Platform: pidfd; elsewhere: nothing can be ended safely (Linux before 5.4), and all are told.
#include "supervise/leftovers.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/process_id.h"
#include "base/unique_fd.h"

namespace capsem::service {
namespace {

namespace fs = std::filesystem;

// From a SIGKILL to the end of a QEMU with much memory, on a busy host.
constexpr std::chrono::seconds kEndLimit{5};

// What was built anew since it started has " (deleted)" behind it.
constexpr const char* kProcess = "capsem-process";

struct Leftover {
  pid_t pid;
  std::string folder;  // its name below `sessions`
  UniqueFd pidfd;
};

std::string LinkOf(pid_t pid, const char* name) {
  std::error_code error;
  return fs::read_symlink(fmt::format("/proc/{}/{}", pid, name), error).string();
}

bool Runs(pid_t pid, const char* program) {
  return fs::path(LinkOf(pid, "exe")).filename().string().starts_with(program);
}

// The session's folder that a process of a machine works in; empty: it is none. A shell that
// somebody has there is none.
std::string FolderOf(pid_t pid, const std::string& sessions) {
  if (!Runs(pid, kProcess) && !Runs(pid, "qemu-system-")) return {};
  const std::string cwd = LinkOf(pid, "cwd");
  if (!cwd.starts_with(sessions + "/")) return {};
  const size_t begin = sessions.size() + 1;
  // What was removed meanwhile has " (deleted)" behind it.
  return cwd.substr(begin, cwd.find_first_of("/ ", begin) - begin);
}

bool IsSpared(pid_t pid, const std::set<pid_t>& spared) {
  const auto stat = StatOf(pid);
  return spared.contains(pid) || (stat && spared.contains(stat->parent));
}

std::vector<Leftover> Find(const std::string& sessions, const std::set<pid_t>& spared) {
  std::vector<Leftover> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc() || end != name.data() + name.size()) continue;
    if (FolderOf(pid, sessions).empty() || IsSpared(pid, spared)) continue;
    // Held before it is looked at again, so that no other process of that number is hit.
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    std::string folder = FolderOf(pid, sessions);
    if (!folder.empty()) found.push_back({pid, std::move(folder), std::move(pidfd)});
  }
  return found;
}

bool EndsBefore(const Leftover& leftover, Clock::TimePoint limit) {
  using std::chrono::milliseconds;
  if (!leftover.pidfd.valid()) return false;
  const auto left = std::chrono::duration_cast<milliseconds>(limit - Clock::Now());
  pollfd ended{leftover.pidfd.get(), POLLIN, 0};
  return poll(&ended, 1, static_cast<int>(std::max(left, milliseconds(0)).count())) == 1;
}

}  // namespace

bool IsProcessOf(pid_t pid, const std::string& session_dir) {
  // Not by its name, which is another one where that process has other mounts than we.
  struct stat folder = {}, works_in = {};
  return Runs(pid, kProcess) && stat(session_dir.c_str(), &folder) == 0 &&
         stat(fmt::format("/proc/{}/cwd", pid).c_str(), &works_in) == 0 &&
         folder.st_dev == works_in.st_dev && folder.st_ino == works_in.st_ino;
}

std::vector<std::string> EndLeftovers(const std::string& sessions, const std::set<pid_t>& spared) {
  std::error_code error;
  const std::string real = fs::canonical(sessions, error).string();
  if (error) return {};
  const std::vector<Leftover> leftovers = Find(real, spared);
  for (const Leftover& leftover : leftovers)
    syscall(SYS_pidfd_send_signal, leftover.pidfd.get(), SIGKILL, nullptr, 0);
  std::vector<std::string> in_use;
  const auto limit = Clock::Now() + kEndLimit;
  for (const Leftover& leftover : leftovers) {
    if (EndsBefore(leftover, limit)) {
      log::Info("ended a process of an earlier service", {{"pid", leftover.pid}});
    } else {
      log::Error("a process of an earlier service does not end", {{"pid", leftover.pid}});
      in_use.push_back(leftover.folder);
    }
  }
  return in_use;
}

}  // namespace capsem::service
