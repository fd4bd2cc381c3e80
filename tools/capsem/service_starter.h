// Makes sure that a service serves this user: finds the one that runs, or starts capsem-service
// from beside the CLI.
//
// Any number of callers may do so at once: they take turns by a lock (service.start), and whoever
// comes second finds the service of the first. Its readiness is a word on a pipe that it inherits,
// so nobody polls. The service is a daemon: its own session, /dev/null and service.log, the folder
// /, and only the variables that it has a use for; a secret in the caller's shell does not reach
// it.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "installation.h"
#include "wire/run_dir.h"

namespace capsem::cli {

// True: somebody accepts connections on service.sock.
bool ServiceRuns(const RunDir& dir);

// Ok when a service accepts connections. Blocks until then: nothing else is to be done.
Status StartService(const RunDir& dir, const Installation& installation);

// The end of the service that runs, to wait for. To be made before it is told to end.
class ServiceEnd {
 public:
  explicit ServiceEnd(const RunDir& dir);
  // Blocks until its process is gone.
  void Await();

 private:
  UniqueFd lock_;     // service.lock: free when it has ended its work
  UniqueFd process_;  // its pidfd; invalid where there is none
};

// Of the variables in `environment` ("KEY=value"), those that the service is given.
std::vector<std::string> ServiceEnvironment(char* const* environment);

}  // namespace capsem::cli
