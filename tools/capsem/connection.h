// What a verb that speaks to the service begins with: the loop, the folders, the client.
#pragma once

#include <memory>

#include "base/loop.h"
#include "base/status.h"
#include "client.h"
#include "wire/run_dir.h"

namespace capsem::cli {

struct Connection {
  Loop* loop;  // for as long as the program lives: threads of gRPC may come to it late
  RunDir dir;
  std::unique_ptr<Client> client;
};

// Starts the service when none runs.
StatusOr<Connection> Connect();
// `client` is null when no service runs.
StatusOr<Connection> ConnectIfRunning();

}  // namespace capsem::cli
