#include "connection.h"

#include <sys/stat.h>
#include <unistd.h>

#include "installation.h"
#include "service_starter.h"

namespace capsem::cli {
namespace {

Connection ConnectTo(RunDir dir) {
  auto* loop = new Loop;
  auto client = Client::Create(*loop, dir);
  return {loop, std::move(dir), std::move(client)};
}

// The service closes the connections of other users without a word.
Status CheckOwner(const RunDir& dir) {
  struct stat info {};
  const std::string socket = dir.ServiceSocket();
  if (stat(socket.c_str(), &info) != 0) return OkStatus();
  if (info.st_uid == geteuid() || geteuid() == 0) return OkStatus();
  return WithRemedy(PermissionDenied("{} is of a service that runs for uid {}, not for uid {}",
                                     socket, info.st_uid, geteuid()),
                    "set CAPSEM_HOME to a folder of your own, or leave it out");
}

}  // namespace

StatusOr<Connection> Connect() {
  RunDir dir = TRY(RunDir::FromEnvironment());
  TRY(CheckOwner(dir));
  TRY(StartService(dir, TRY(Installation::Find())));
  return ConnectTo(std::move(dir));
}

StatusOr<Connection> ConnectIfRunning() {
  RunDir dir = TRY(RunDir::FromEnvironment());
  TRY(CheckOwner(dir));
  if (!ServiceRuns(dir)) return Connection{nullptr, std::move(dir), nullptr};
  return ConnectTo(std::move(dir));
}

}  // namespace capsem::cli
