// A pseudoterminal: one end for the agent, the other for the command. Made without walking a path,
// for a user could have mounted over it.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::agent {

struct PtySize {
  uint16_t rows = 24;
  uint16_t cols = 80;
};

struct Pty {
  UniqueFd master;  // non-blocking
  UniqueFd peer;    // the command's terminal
};

// `ptmx_fd` and `proc_fd` as in ExecEnvironment.
StatusOr<Pty> OpenPty(int ptmx_fd, int proc_fd, PtySize size);
// Whoever is in the foreground of the terminal gets a SIGWINCH when that changes it.
void ResizePty(int master, PtySize size);

}  // namespace capsem::agent
