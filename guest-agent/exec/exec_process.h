// One process of a user, made by a plain fork: never vfork, posix_spawn or uv_spawn, for those wait
// until the child has executed its program, and the program may lie on a file system that this very
// loop serves. The child alone walks the user's paths (cwd, PATH, program); what goes wrong there
// comes back on a pipe that the loop watches.
#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <optional>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "exec/exec_spec.h"

namespace capsem::agent {

// Descriptors that every child needs and that no path may be walked for.
struct ExecEnvironment {
  int null_fd = -1;  // /dev/null
  int proc_fd = -1;  // /proc, to take back the agent's own protection; -1: it has none
  int ptmx_fd = -1;  // /dev/pts/ptmx, only to be opened again; -1: by its path
};

// The process is made first and told later what to run: making it (the fork, taking the agent's own
// protection back, five pipes) takes longer than a small command, so one is made ahead
// (spare_process.h).
struct ExecProcess {
  pid_t pid = -1;
  UniqueFd request_pipe;  // the process ends when it is closed before it has been told
  UniqueFd stdin_pipe;    // of no use unless the spec wants it open; non-blocking like the others
  UniqueFd stdout_pipe;
  UniqueFd stderr_pipe;
  UniqueFd failure_pipe;  // ends when the program runs; says why when it cannot
  UniqueFd terminal;      // its master, when it has one: then so are stdin_pipe and stdout_pipe
};

// `group_fd`: the cgroup that the child is born into; -1 = the agent's own. With `pty` it has a
// terminal, which is its controlling one, and no stderr_pipe.
StatusOr<ExecProcess> MakeExecProcess(const ExecEnvironment& environment, int group_fd,
                                      const std::optional<PtySize>& pty = std::nullopt);
// Once. An error: it will run nothing, and is to be dropped.
Status RunInProcess(ExecProcess& process, const ExecSpec& spec);

// Why the program does not run: the exit code (126: it cannot be executed; 127: it was not found)
// and a sentence.
struct ExecFailure {
  int code;
  std::string sentence;
};
// What the failure pipe says: nullopt when it ended silently. To be called once it is readable or
// the process is gone.
std::optional<ExecFailure> ReadExecFailure(int failure_pipe, const ExecSpec& spec);

// A process that reads both pipes (either may be invalid) to nowhere until their writers are gone.
// Processes that outlive their command keep on writing: closing the pipes would kill them, leaving
// them full would stop them, and reading them here would cost the agent for ever. It lives in the
// command's own cgroup and ends with it.
Status StartDrain(UniqueFd first, UniqueFd second, const ExecEnvironment& environment,
                  int group_fd);

// A process that goes on with the agent's own code, as ordinary as a command otherwise: `work` may
// wait for what the loop must not. `fds` become its descriptors from 0 on, and it has no others.
StatusOr<pid_t> ForkApart(const char* name, const std::array<int, 5>& fds,
                          const ExecEnvironment& environment, int group_fd,
                          const std::function<void()>& work);

}  // namespace capsem::agent
