#include "rpc/endpoint.h"

#include <google/protobuf/stubs/logging.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/unix_socket.h"
#include "rpc/grpc_threads.h"
#include "rpc/message.h"

namespace capsem::rpc {
namespace {

// How long accepting rests when the process has no descriptor left: the backlog waits in the
// kernel.
constexpr std::chrono::milliseconds kOutOfFdsPause{100};

// gRPC would measure by pings how wide a network is: between two processes of one machine they are
// half of what wakes threads while much is sent (docs/decisions/0011-bulk-output-on-the-host.md).
constexpr int kProbeBandwidth = 0;

std::unique_ptr<grpc::Server> StartServer(const std::vector<grpc::Service*>& services) {
  PrepareGrpcThreads();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // What is wrong with a message is told to whoever sent it, who shall not fill our log with it.
  google::protobuf::SetLogHandler(nullptr);
  grpc::ServerBuilder builder;
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(kMaxReceivedBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, kProbeBandwidth);
  // Reflection alone is served by gRPC's synchronous threads: one of them waits, at most two work.
  using Sync = grpc::ServerBuilder::SyncServerOption;
  builder.SetSyncServerOption(Sync::NUM_CQS, 1)
      .SetSyncServerOption(Sync::MIN_POLLERS, 1)
      .SetSyncServerOption(Sync::MAX_POLLERS, 1);
  return builder.BuildAndStart();
}

}  // namespace

Status CheckPeer(uid_t peer, uid_t own) {
  if (peer == own || peer == 0) return OkStatus();
  return PermissionDenied("a connection of uid {} was refused: this server runs for uid {}", peer,
                          own);
}

StatusOr<std::unique_ptr<ServerEndpoint>> ServerEndpoint::Listen(
    Loop& loop, const std::string& path, const std::vector<grpc::Service*>& services) {
  // Bound and listening under another name first: whoever waits for the path to appear may connect.
  const std::string unready = path + "~";
  unlink(unready.c_str());
  UniqueFd listener = TRY(ListenUnix(unready));
  std::unique_ptr<grpc::Server> server = StartServer(services);
  if (!server) return Internal("gRPC's server did not start for {}", path);
  if (rename(unready.c_str(), path.c_str()) != 0) {
    const Status status = FromErrno("put the socket at {}", path);
    server->Shutdown();
    return status;
  }
  return std::unique_ptr<ServerEndpoint>(
      new ServerEndpoint(loop, path, std::move(listener), std::move(server)));
}

ServerEndpoint::ServerEndpoint(Loop& loop, std::string path, UniqueFd listener,
                               std::unique_ptr<grpc::Server> server)
    : loop_(loop),
      path_(std::move(path)),
      server_(std::move(server)),
      listener_(std::move(listener)),
      out_of_fds_(loop),
      watch_(std::make_unique<FdWatch>(loop, listener_.get(), [this](int) { Accept(); })) {
  watch_->Want(FdWatch::kReadable);
}

ServerEndpoint::~ServerEndpoint() { ENSURE(down_); }

void ServerEndpoint::Accept() {
  UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection.valid()) return Admit(std::move(connection));
  if (errno != EMFILE && errno != ENFILE && errno != ENOMEM) return;
  log::Warning("no descriptor is left for a new connection; accepting rests", {{"socket", path_}});
  watch_->Want(FdWatch::kNone);
  out_of_fds_.Start(kOutOfFdsPause, [this] { watch_->Want(FdWatch::kReadable); });
}

void ServerEndpoint::Admit(UniqueFd connection) {
  const StatusOr<PeerCredentials> peer = PeerOf(connection.get());
  const Status verdict = peer.ok() ? CheckPeer(peer->uid, geteuid()) : peer.status();
  if (verdict.ok()) return grpc::AddInsecureChannelFromFd(server_.get(), connection.Release());
  log::Warning("connection refused", {{"socket", path_}, {"reason", verdict}});
}

void ServerEndpoint::Shutdown(std::chrono::milliseconds grace, absl::AnyInvocable<void()> done) {
  watch_ = nullptr;
  out_of_fds_.Cancel();
  listener_.Reset();
  unlink(path_.c_str());
  const auto deadline = std::chrono::system_clock::now() + grace;
  // Waits for calls that the loop answers, so it must not wait on the loop.
  loop_.RunBlocking([server = server_.get(), deadline] { server->Shutdown(deadline); },
                    [self = weak_.Get(), done = std::move(done)]() mutable {
                      if (self) self->down_ = true;
                      done();
                    });
}

std::shared_ptr<grpc::Channel> ConnectChannel(const std::string& path) {
  PrepareGrpcThreads();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceivedBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // Nothing of an earlier channel's failures: a server that has come back is reached at once.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, kProbeBandwidth);
  return grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace capsem::rpc
