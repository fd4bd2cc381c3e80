#include "client.h"

#include <cstdlib>

#include "capsem/v1/execs.grpc.pb.h"
#include "capsem/v1/images.grpc.pb.h"
#include "capsem/v1/sessions.grpc.pb.h"
#include "capsem/v1/system.grpc.pb.h"
#include "rpc/client_call.h"
#include "rpc/client_stream.h"
#include "rpc/endpoint.h"
#include "rpc/message.h"
#include "rpc/status_code.h"

namespace capsem::cli {
namespace {

using SessionsAsync = v1::Sessions::StubInterface::async_interface;
using ExecsAsync = v1::Execs::StubInterface::async_interface;
using ImagesAsync = v1::Images::StubInterface::async_interface;
using SystemAsync = v1::System::StubInterface::async_interface;

enum class BrokenCall { kVerb, kCommand };

// gRPC's own words for a service that died during the call are about sockets: say what happened,
// and what is known of what was asked for.
Status ExplainBroken(const Status& status, BrokenCall call) {
  if (!rpc::IsGrpcsOwn(status)) return status;
  switch (status.code()) {
    case StatusCode::kUnavailable: break;
    case StatusCode::kUnimplemented:
      return WithRemedy(Unimplemented("the service that runs is of another version: it does not "
                                      "know this call"),
                        "`capsem service stop` ends it; say it again, which starts this one");
    case StatusCode::kResourceExhausted:
      return WithRemedy(status, "send less at once: what is long goes through stdin");
    default: return status;
  }
  if (call == BrokenCall::kVerb) {
    return WithRemedy(
        Unavailable("the service went away during the call, which it may have done or not ({})",
                    Message(status)),
        "`capsem list` starts a new one and shows how things are; `capsem logs` has the old one's "
        "last words");
  }
  return WithRemedy(
      Unavailable("the service went away during the call: the command may have run, in part or to "
                  "its end ({})",
                  Message(status)),
      "see what it has done before you say it again; `capsem list` starts a new service and shows "
      "which machines are left");
}

class RpcCommandStream final : public CommandStream {
 public:
  using Stream = rpc::ClientStream<v1::ExecInput, v1::ExecEvent>;
  explicit RpcCommandStream(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
  bool Write(v1::ExecInput input) override { return stream_->Write(std::move(input)); }
  void FinishWriting() override { stream_->FinishWriting(); }
  void PauseReading(bool paused) override { stream_->PauseReading(paused); }

 private:
  const std::unique_ptr<Stream> stream_;
};

}  // namespace

Status Client::CheckSize(const google::protobuf::Message& message) {
  return rpc::CheckMessageSize(message.ByteSizeLong());
}

Status Client::Explain(const Status& status) { return ExplainBroken(status, BrokenCall::kVerb); }

struct Client::Impl {
  Impl(Loop& its_loop, const std::string& socket)
      : loop(its_loop),
        channel(rpc::ConnectChannel(socket)),
        sessions(v1::Sessions::NewStub(channel)),
        execs(v1::Execs::NewStub(channel)),
        images(v1::Images::NewStub(channel)),
        system(v1::System::NewStub(channel)) {}

  // Turns the loop until the answer is there.
  template <typename Stub, typename Async, typename Request, typename Response>
  StatusOr<Response> Wait(Stub& stub,
                          void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                std::function<void(grpc::Status)>),
                          const std::type_identity_t<Request>& request) {
    TRY(CheckSize(request));
    StatusOr<Response> answer = Internal("the call was not answered");
    rpc::CallUnary(loop, stub.async(), method, request, {}, [&](StatusOr<Response> given) {
      answer = std::move(given);
      loop.Stop();
    });
    loop.Run();
    if (!answer.ok()) return ExplainBroken(answer.status(), BrokenCall::kVerb);
    return answer;
  }

  // The same for many calls at once.
  template <typename Async, typename Request, typename Response>
  std::vector<Status> WaitForAll(void (Async::*method)(grpc::ClientContext*, const Request*,
                                                       Response*,
                                                       std::function<void(grpc::Status)>),
                                 const std::vector<std::type_identity_t<Request>>& requests) {
    std::vector<Status> answers(requests.size());
    size_t open = requests.size();
    for (size_t i = 0; i < requests.size(); ++i) {
      rpc::CallUnary(loop, sessions->async(), method, requests[i], {},
                     [this, &open, &answer = answers[i]](StatusOr<Response> given) {
                       answer = ExplainBroken(given.status(), BrokenCall::kVerb);
                       if (--open == 0) loop.Stop();
                     });
    }
    if (open > 0) loop.Run();
    return answers;
  }

  // The events are called while this lives: the verb drops its stream first.
  std::unique_ptr<CommandStream> Open(
      void (ExecsAsync::*method)(grpc::ClientContext*,
                                 grpc::ClientBidiReactor<v1::ExecInput, v1::ExecEvent>*),
      CommandStream::Events events) {
    return std::make_unique<RpcCommandStream>(RpcCommandStream::Stream::Start(
        loop, execs->async(), method, {},
        {.on_message = std::move(events.on_event),
         .on_ready = std::move(events.on_ready),
         .on_closed = [closed = std::move(events.on_closed)](const Status& status) mutable {
           closed(ExplainBroken(status, BrokenCall::kCommand));
         }}));
  }

  Loop& loop;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::Sessions::Stub> sessions;
  const std::unique_ptr<v1::Execs::Stub> execs;
  const std::unique_ptr<v1::Images::Stub> images;
  const std::unique_ptr<v1::System::Stub> system;
};

std::unique_ptr<Client> Client::Create(Loop& loop, const RunDir& dir) {
  // What gRPC has to say comes as a status; its own lines on stderr would stand in the command's.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(loop, dir.ServiceSocket())));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

StatusOr<v1::Session> Client::Create(const v1::CreateSessionRequest& request) {
  return impl_->Wait(*impl_->sessions, &SessionsAsync::Create, request);
}

StatusOr<v1::Session> Client::Get(std::string_view session) {
  v1::GetSessionRequest request;
  request.set_session(std::string(session));
  return impl_->Wait(*impl_->sessions, &SessionsAsync::Get, request);
}

StatusOr<v1::ListSessionsResponse> Client::List() {
  return impl_->Wait(*impl_->sessions, &SessionsAsync::List, {});
}

std::vector<Status> Client::Stop(const std::vector<v1::StopSessionRequest>& requests) {
  return impl_->WaitForAll(&SessionsAsync::Stop, requests);
}

std::vector<Status> Client::Start(const std::vector<v1::StartSessionRequest>& requests) {
  return impl_->WaitForAll(&SessionsAsync::Start, requests);
}

std::vector<Status> Client::Restart(const std::vector<v1::RestartSessionRequest>& requests) {
  return impl_->WaitForAll(&SessionsAsync::Restart, requests);
}

StatusOr<v1::Session> Client::Persist(const v1::PersistSessionRequest& request) {
  return impl_->Wait(*impl_->sessions, &SessionsAsync::Persist, request);
}

StatusOr<v1::Session> Client::Rename(const v1::RenameSessionRequest& request) {
  return impl_->Wait(*impl_->sessions, &SessionsAsync::Rename, request);
}

StatusOr<v1::PurgeSessionsResponse> Client::Purge(bool all) {
  v1::PurgeSessionsRequest request;
  request.set_all(all);
  return impl_->Wait(*impl_->sessions, &SessionsAsync::Purge, request);
}

std::vector<Status> Client::Delete(const std::vector<v1::DeleteSessionRequest>& requests) {
  return impl_->WaitForAll(&SessionsAsync::Delete, requests);
}

StatusOr<v1::ListExecsResponse> Client::ListExecs(std::string_view session) {
  v1::ListExecsRequest request;
  request.set_session(std::string(session));
  return impl_->Wait(*impl_->execs, &ExecsAsync::List, request);
}

Status Client::SignalNow(const v1::SignalRequest& request) {
  return impl_->Wait(*impl_->execs, &ExecsAsync::Signal, request).status();
}

StatusOr<v1::ListImagesResponse> Client::ListImages() {
  return impl_->Wait(*impl_->images, &ImagesAsync::List, {});
}

StatusOr<v1::Image> Client::InspectImage(std::string_view image) {
  v1::InspectImageRequest request;
  request.set_image(std::string(image));
  return impl_->Wait(*impl_->images, &ImagesAsync::Inspect, request);
}

StatusOr<v1::VersionResponse> Client::Version() {
  return impl_->Wait(*impl_->system, &SystemAsync::Version, {});
}

StatusOr<v1::StatusResponse> Client::GetStatus() {
  return impl_->Wait(*impl_->system, &SystemAsync::Status, {});
}

StatusOr<v1::ConfigResponse> Client::GetConfig() {
  return impl_->Wait(*impl_->system, &SystemAsync::Config, {});
}

Status Client::Shutdown() {
  return impl_->Wait(*impl_->system, &SystemAsync::Shutdown, {}).status();
}

Status Client::Logs(const v1::LogsRequest& request,
                    absl::AnyInvocable<Status(const v1::LogChunk&)> take) {
  using Reader = rpc::ClientReader<v1::LogsRequest, v1::LogChunk>;
  Status ended;
  std::unique_ptr<Reader> reader =
      Reader::Start(impl_->loop, impl_->system->async(), &SystemAsync::Logs, request, {},
                    {.on_message =
                         [&](const v1::LogChunk& chunk) {
                           ended = take(chunk);
                           if (!ended.ok()) impl_->loop.Stop();
                         },
                     .on_closed =
                         [&](const Status& status) {
                           ended = ExplainBroken(status, BrokenCall::kVerb);
                           impl_->loop.Stop();
                         }});
  impl_->loop.Run();
  return ended;
}

std::unique_ptr<CommandStream> Client::Exec(CommandStream::Events events) {
  return impl_->Open(&ExecsAsync::Exec, std::move(events));
}

std::unique_ptr<CommandStream> Client::Run(CommandStream::Events events) {
  return impl_->Open(&ExecsAsync::Run, std::move(events));
}

std::unique_ptr<CommandStream> Client::Attach(CommandStream::Events events) {
  return impl_->Open(&ExecsAsync::Attach, std::move(events));
}

void Client::Signal(const v1::SignalRequest& request, absl::AnyInvocable<void(Status)> done) {
  rpc::CallUnary(impl_->loop, impl_->execs->async(), &ExecsAsync::Signal, request, {},
                 [done = std::move(done)](const StatusOr<v1::SignalResponse>& answer) mutable {
                   done(answer.status());
                 });
}

}  // namespace capsem::cli
