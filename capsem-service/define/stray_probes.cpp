// Platform: pidfd; elsewhere: a stray probe lives on, and nothing else is signalled.
#include "define/stray_probes.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/unique_fd.h"

namespace capsem::service {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The pid is held by the pidfd before its command line is looked at, so that a reused number can
// never be signalled: the monitor of a probe lies in the probe's own folder, whose name is random.
bool EndProbe(const fs::path& folder) {
  pid_t pid = 0;
  std::ifstream(folder / "qmp.pid") >> pid;
  if (pid <= 1) return false;
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) return false;
  const std::string command = ReadAll("/proc/" + std::to_string(pid) + "/cmdline");
  if (command.find(folder.filename().string() + "/qmp.monitor") == std::string::npos) return false;
  return syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0;
}

}  // namespace

int EndStrayProbes(const std::string& root) {
  int ended = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root + "/lib/qemu", error)) {
    if (!entry.path().filename().string().starts_with("qmp-")) continue;
    if (EndProbe(entry.path())) ++ended;
    fs::remove_all(entry.path(), error);
  }
  return ended;
}

}  // namespace capsem::service
