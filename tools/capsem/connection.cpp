#include "connection.h"

#include "installation.h"
#include "service_starter.h"

namespace capsem::cli {
namespace {

Connection ConnectTo(RunDir dir) {
  auto* loop = new Loop;
  auto client = Client::Create(*loop, dir);
  return {loop, std::move(dir), std::move(client)};
}

}  // namespace

StatusOr<Connection> Connect() {
  RunDir dir = TRY(RunDir::FromEnvironment());
  TRY(StartService(dir, TRY(Installation::Find())));
  return ConnectTo(std::move(dir));
}

StatusOr<Connection> ConnectIfRunning() {
  RunDir dir = TRY(RunDir::FromEnvironment());
  if (!ServiceRuns(dir)) return Connection{nullptr, std::move(dir), nullptr};
  return ConnectTo(std::move(dir));
}

}  // namespace capsem::cli
