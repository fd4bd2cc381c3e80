// Platform: pidfd; elsewhere: HoldProcess fails with the kernel's error (Linux before 5.3).
#include "base/process_id.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

namespace capsem {

std::optional<ProcessStat> StatOf(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  // The second field is a name in parentheses that may hold anything.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  ProcessStat stat;
  fields >> stat.state >> stat.parent;
  constexpr int kFieldsBetween = 17;  // from 4, the parent, to 22, the start (proc(5))
  std::string skipped;
  for (int i = 0; i < kFieldsBetween; ++i) fields >> skipped;
  if (!(fields >> stat.start)) return std::nullopt;
  return stat;
}

std::string CurrentBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

StatusOr<ProcessId> IdentifyProcess(pid_t pid) {
  const auto stat = pid > 0 ? StatOf(pid) : std::nullopt;
  if (!stat || stat->state == 'Z') return NotFound("there is no process {}", pid);
  return ProcessId{pid, stat->start, CurrentBootId()};
}

StatusOr<UniqueFd> HoldProcess(const ProcessId& process) {
  if (process.pid <= 1) return NotFound("there is no process {}", process.pid);
  // First the descriptor, then the question: what has the pid afterwards had it before.
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd.valid() && errno != ESRCH) return FromErrno("hold process {}", process.pid);
  const auto found = IdentifyProcess(process.pid);
  if (!pidfd.valid() || !found.ok() || *found != process)
    return NotFound("process {} is gone", process.pid);
  return pidfd;
}

}  // namespace capsem
