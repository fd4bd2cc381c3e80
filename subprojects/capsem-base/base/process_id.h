// Which process a pid means. Pids are given again, so a pid that was noted says nothing later; with
// the process's start and the host's boot it does. Of any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem {

struct ProcessId {
  pid_t pid = 0;       // 0: no process
  uint64_t start = 0;  // clock ticks from the host's boot to its start
  std::string boot;    // which boot of the host: the kernel's random name for it

  bool operator==(const ProcessId&) const = default;
};

// What /proc/PID/stat says of a process.
struct ProcessStat {
  char state = 0;  // 'Z': it has ended, and nobody has asked how
  pid_t parent = 0;
  uint64_t start = 0;
};

// nullopt: no such process.
std::optional<ProcessStat> StatOf(pid_t pid);

// The kernel's name for the boot that the host runs in; empty where /proc does not tell.
std::string CurrentBootId();

// Of a process that lives. NotFound: none does.
StatusOr<ProcessId> IdentifyProcess(pid_t pid);

// A pidfd of exactly that process. NotFound: it has ended; whoever has its pid now is left alone.
StatusOr<UniqueFd> HoldProcess(const ProcessId& process);

}  // namespace capsem
