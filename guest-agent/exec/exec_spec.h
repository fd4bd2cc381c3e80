// What to run: the host's request, checked and completed. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"

namespace capsem::agent {

struct ExecSpec {
  uint64_t id = 0;
  std::vector<std::string> argv;  // never empty
  std::vector<std::string> env;   // "KEY=value"
  std::string path;               // where argv[0] is looked for: the command's own PATH
  std::string cwd;
  std::chrono::milliseconds timeout{0};  // 0 = none
  bool stdin_open = false;
};

using Environment = std::map<std::string, std::string>;

// `session` is the environment of every command (Configure); the request's own goes on top of it,
// and both on top of what any program may expect (PATH, HOME, USER).
// InvalidArgument: what execve could not take: no program, NUL bytes, odd names.
StatusOr<ExecSpec> MakeExecSpec(const capsem::guest::v1::ExecStart& start,
                                const Environment& session);

}  // namespace capsem::agent
