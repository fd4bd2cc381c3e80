// What to run: the host's request, checked and completed. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"
#include "exec/pty.h"

namespace capsem::agent {

struct ExecSpec {
  uint64_t id = 0;
  std::vector<std::string> argv;  // never empty
  std::vector<std::string> env;   // "KEY=value"
  std::string path;               // where argv[0] is looked for: the command's own PATH
  std::string cwd;
  std::chrono::milliseconds timeout{0};  // 0 = none
  bool stdin_open = false;
  std::optional<PtySize> pty;  // its stdin, stdout and stderr are a terminal
  uint32_t uid = 0;
};

using Environment = std::map<std::string, std::string>;

// `session` is the environment of every command (Configure); the request's own goes on top of it,
// and both on top of what any program may expect (PATH, HOME, USER; TERM and LANG at a terminal).
// InvalidArgument: what execve could not take: no program, NUL bytes, odd names.
StatusOr<ExecSpec> MakeExecSpec(const capsem::guest::v1::ExecStart& start,
                                const Environment& session);
PtySize SizeOf(const capsem::guest::v1::Resize& size);

}  // namespace capsem::agent
