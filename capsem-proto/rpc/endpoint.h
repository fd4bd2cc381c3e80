// Where gRPC meets Unix sockets: a server on a path, a channel to a path.
//
// The server owns its listening socket (0600), accepts on the loop, looks at who is there (same
// uid, or root) and only then hands the connection to gRPC. Health and reflection are on; a message
// is bounded (rpc/message.h).
#pragma once

#include <absl/functional/any_invocable.h>
#include <grpcpp/channel.h>
#include <grpcpp/server.h>
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/fd_watch.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "base/weak.h"

namespace capsem::rpc {

// May a peer of this uid speak to a server that runs as `own`? The socket's mode says the same to
// everybody but root.
Status CheckPeer(uid_t peer, uid_t own);

class ServerEndpoint {
 public:
  // The services are borrowed until the endpoint is gone. The socket appears at `path` when it can
  // be connected to, not before, and takes the place of a stale one: whoever listens there owns
  // the path, by a lock or by its folder.
  static StatusOr<std::unique_ptr<ServerEndpoint>> Listen(
      Loop& loop, const std::string& path, const std::vector<grpc::Service*>& services);
  // Only after Shutdown has said done: until then gRPC's threads may call the services.
  ~ServerEndpoint();
  ServerEndpoint(const ServerEndpoint&) = delete;
  ServerEndpoint& operator=(const ServerEndpoint&) = delete;

  // No new connections and calls from now on, and the path is removed; calls that run end by
  // themselves within `grace`, the rest is cancelled. `done` comes on the loop when none is left.
  // Once.
  void Shutdown(std::chrono::milliseconds grace, absl::AnyInvocable<void()> done);

  // The only descriptor that this process accepts connections on, for who filters system calls.
  int listener() const { return listener_.get(); }

 private:
  ServerEndpoint(Loop& loop, std::string path, UniqueFd listener,
                 std::unique_ptr<grpc::Server> server);
  void Accept();
  void Admit(UniqueFd connection);

  Loop& loop_;
  const std::string path_;
  std::unique_ptr<grpc::Server> server_;
  bool down_ = false;
  UniqueFd listener_;
  Timer out_of_fds_;
  std::unique_ptr<FdWatch> watch_;  // after listener_: destroyed first
  WeakOwner<ServerEndpoint> weak_{this};
};

// Connects when first used. No proxy from the environment, no retries: an error is told, not
// hidden.
std::shared_ptr<grpc::Channel> ConnectChannel(const std::string& path);

}  // namespace capsem::rpc
