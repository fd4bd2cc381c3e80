// The API as the verbs use it: one call at a time, answered before it returns; and streams, on the
// loop. The only file of the CLI that knows gRPC.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "capsem/v1/execs.pb.h"
#include "capsem/v1/images.pb.h"
#include "capsem/v1/sessions.pb.h"
#include "capsem/v1/system.pb.h"
#include "command_stream.h"
#include "wire/run_dir.h"

namespace capsem::cli {

class Client {
 public:
  // ResourceExhausted: the service does not take a message of that size.
  static Status CheckSize(const google::protobuf::Message& message);
  // gRPC's own word for a broken call, as what happened and what helps; other errors as they are.
  static Status Explain(const Status& status);
  // Calls fail with Unavailable when no service runs there.
  static std::unique_ptr<Client> Create(Loop& loop, const RunDir& dir);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  StatusOr<v1::Session> Create(const v1::CreateSessionRequest& request);
  StatusOr<v1::Session> Get(std::string_view session);
  StatusOr<v1::ListSessionsResponse> List();
  // All at once; an answer for each, in order.
  std::vector<Status> Stop(const std::vector<v1::StopSessionRequest>& requests);
  std::vector<Status> Start(const std::vector<v1::StartSessionRequest>& requests);
  std::vector<Status> Restart(const std::vector<v1::RestartSessionRequest>& requests);
  std::vector<Status> Delete(const std::vector<v1::DeleteSessionRequest>& requests);
  StatusOr<v1::Session> Persist(const v1::PersistSessionRequest& request);
  StatusOr<v1::Session> Rename(const v1::RenameSessionRequest& request);
  StatusOr<v1::PurgeSessionsResponse> Purge(bool all);
  StatusOr<v1::ListExecsResponse> ListExecs(std::string_view session);
  Status SignalNow(const v1::SignalRequest& request);
  StatusOr<v1::ListImagesResponse> ListImages();
  StatusOr<v1::Image> InspectImage(std::string_view image);
  StatusOr<v1::VersionResponse> Version();
  StatusOr<v1::StatusResponse> GetStatus();
  StatusOr<v1::ConfigResponse> GetConfig();
  Status Shutdown();
  // `take` hears the pieces in order; its error ends the call.
  Status Logs(const v1::LogsRequest& request, absl::AnyInvocable<Status(const v1::LogChunk&)> take);

  // On the loop.
  std::unique_ptr<CommandStream> Exec(CommandStream::Events events);
  std::unique_ptr<CommandStream> Run(CommandStream::Events events);
  std::unique_ptr<CommandStream> Attach(CommandStream::Events events);
  void Signal(const v1::SignalRequest& request, absl::AnyInvocable<void(Status)> done);

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace capsem::cli
