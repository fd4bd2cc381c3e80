// What the daemon is told at its start: flags, and where its folders lie. Made once by main, const
// from then on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "wire/run_dir.h"

namespace capsem::service {

struct Config {
  bool foreground = false;   // log to stderr; else to service.log
  bool test_rpcs = false;    // capsem-process serves what only tests may ask
  bool lift_limits = false;  // do only that, for systemd (supervise/machine_groups), and leave
  int ready_fd = -1;         // told "listening\n" when the socket serves; -1 = nobody waits
  // Of the gateway; 0 = any that is free, nullopt = there shall be none.
  std::optional<uint16_t> gateway_port = 0;
  RunDir dirs;
  std::string programs;  // the folder of our own programs

  // InvalidArgument: an unknown flag. CAPSEM_GATEWAY says the same as --gateway, which wins.
  static StatusOr<Config> FromArguments(int argc, char** argv);
  std::string Program(const char* name) const { return programs + "/" + name; }
};

}  // namespace capsem::service
