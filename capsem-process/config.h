// What capsem-process is told at its start: --parent-pid on the command line, everything else as a
// LaunchSpec on descriptor 3 (secrets never stand in argv), a pipe to say "listening" on descriptor
// 4, and the files it names after.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "capsem/process/v1/process.pb.h"

namespace capsem::process {

struct Config {
  pid_t parent = 0;
  capsem::process::v1::LaunchSpec launch;
  UniqueFd ready_pipe;
  std::map<std::string, UniqueFd> files;  // by the name of their hole in QEMU's command line

  // InvalidArgument: not started by a capsem-service.
  static StatusOr<Config> FromArguments(int argc, char** argv);
};

}  // namespace capsem::process
