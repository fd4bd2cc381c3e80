// What the gateway is told at its start. Made once by main, const from then on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace capsem::gateway {

struct Config {
  std::optional<pid_t> parent;  // nullopt: nobody's child, or a number that is none
  std::string run_dir;          // service.sock is there; gateway.lock, .token and .port are ours
  std::string log;              // the file that stdout and stderr become, bounded; "" = they stay
  uint16_t port = 0;            // 0 = any that is free
  int ready_fd = -1;            // told our address when it can be connected to; -1 = nobody waits

  // InvalidArgument: an unknown flag, no port, no folder.
  static StatusOr<Config> FromArguments(int argc, char** argv);
};

}  // namespace capsem::gateway
