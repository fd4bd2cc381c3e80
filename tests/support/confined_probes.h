// What a program that has been taken over would try: each attempt has a name, and works in a
// program that is not confined.
#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

namespace capsem::process {

// What the probes are aimed at; all of it belongs to somebody else, but for the last four.
struct ProbeTargets {
  std::string home;      // a folder with the files that the probes name, made anew for each run
  std::string sessions;  // the folder of all sessions; `other` is one of them
  std::string other;
  std::string service_socket;  // listens
  std::string bus_socket;      // listens
  std::string abstract_name;   // listens
  int tcp_port = 0;            // listens, on 127.0.0.1
  pid_t victim = 0;
  std::string own_folder;
  std::array<int, 4> unix_sockets = {};  // connected to nothing
  std::array<int, 3> tcp_sockets = {};   // likewise
  int foreign_listener = -1;
};

struct Probe {
  std::string name;
  std::function<int()> attempt;  // 0, or the errno of what was denied
  bool needs_root = false;       // to work when it is not confined
};

std::vector<Probe> ForbiddenProbes(const ProbeTargets& targets);
// What a confined program must still be able to do.
std::vector<Probe> NeededProbes(const ProbeTargets& targets);

}  // namespace capsem::process
