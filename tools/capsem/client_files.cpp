#include "client_files.h"

#include <cstring>

#include "capsem/v1/files.grpc.pb.h"
#include "client.h"
#include "input_source.h"
#include "rpc/client_call.h"
#include "rpc/client_stream.h"
#include "rpc/endpoint.h"

namespace capsem::cli {
namespace {

using Async = v1::Files::StubInterface::async_interface;

// A folder with more names than this is a hostile guest's: real ones have a thousandth of it.
constexpr size_t kMaxEntries = 1'000'000;
constexpr size_t kMaxListBytes = size_t{256} << 20;

class RpcGuestFiles final : public GuestFiles {
 public:
  RpcGuestFiles(Loop& loop, const RunDir& dir, std::string session)
      : loop_(loop),
        stub_(v1::Files::NewStub(rpc::ConnectChannel(dir.ServiceSocket()))),
        session_(std::move(session)) {}

  StatusOr<v1::FileInfo> Stat(const std::string& path) override {
    auto request = Ask<v1::StatFileRequest>(path);
    request.set_follow(true);
    return Wait(&Async::Stat, request);
  }
  Status Mkdir(const std::string& path, uint32_t mode) override {
    auto request = Ask<v1::MakeFolderRequest>(path);
    request.set_mode(mode);
    return Wait(&Async::Mkdir, request).status();
  }
  Status Symlink(const std::string& path, const std::string& target) override {
    auto request = Ask<v1::MakeSymlinkRequest>(path);
    request.set_target(target);
    request.set_replace(true);
    return Wait(&Async::Symlink, request).status();
  }
  Status Read(const std::string& path, const OnInfo& on_info, const OnData& on_data) override {
    return Hear<v1::ReadFileEvent>(
        &Async::Read, Ask<v1::ReadFileRequest>(path), [&](const v1::ReadFileEvent& event) {
          return event.has_info() ? on_info(event.info()) : on_data(event.data());
        });
  }
  StatusOr<std::vector<v1::FileEntry>> List(const std::string& path) override {
    std::vector<v1::FileEntry> entries;
    size_t bytes = 0;
    TRY(Hear<v1::ListFilesResponse>(
        &Async::List, Ask<v1::ListFilesRequest>(path), [&](const v1::ListFilesResponse& some) {
          entries.insert(entries.end(), some.entries().begin(), some.entries().end());
          bytes += some.ByteSizeLong();
          return CheckLength(entries.size(), bytes);
        }));
    return entries;
  }
  Status Write(const std::string& path, std::optional<uint32_t> mode, int fd,
               const OnSent& on_sent) override;

 private:
  template <typename Request>
  Request Ask(const std::string& path) const {
    Request request;
    request.set_session(session_);
    request.set_path(path);
    return request;
  }
  static Status CheckLength(size_t entries, size_t bytes) {
    if (entries <= kMaxEntries && bytes <= kMaxListBytes) return OkStatus();
    return WithRemedy(ResourceExhausted("the guest lists over {} names in one folder", entries),
                      "copy its parts one by one");
  }
  // Turns the loop until the answer is there.
  template <typename Request, typename Response>
  StatusOr<Response> Wait(void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                std::function<void(grpc::Status)>),
                          const Request& request) {
    StatusOr<Response> answer = Internal("the call was not answered");
    rpc::CallUnary(loop_, stub_->async(), method, request, {}, [&](StatusOr<Response> given) {
      answer = std::move(given);
      loop_.Stop();
    });
    loop_.Run();
    if (!answer.ok()) return Client::Explain(answer.status());
    return answer;
  }
  template <typename Event, typename Request>
  Status Hear(void (Async::*method)(grpc::ClientContext*, const Request*,
                                    grpc::ClientReadReactor<Event>*),
              const Request& request, const std::function<Status(const Event&)>& take) {
    Status ended;
    const auto reader =
        rpc::ClientReader<Request, Event>::Start(loop_, stub_->async(), method, request, {},
                                                 {.on_message =
                                                      [&](const Event& event) {
                                                        ended = take(event);
                                                        if (!ended.ok()) loop_.Stop();
                                                      },
                                                  .on_closed =
                                                      [&](const Status& status) {
                                                        ended = Client::Explain(status);
                                                        loop_.Stop();
                                                      }});
    loop_.Run();
    return ended;
  }

  Loop& loop_;
  const std::unique_ptr<v1::Files::Stub> stub_;
  const std::string session_;
};

Status RpcGuestFiles::Write(const std::string& path, std::optional<uint32_t> mode, int fd,
                            const OnSent& on_sent) {
  Status ended;
  const auto end = [&](const Status& status) {
    ended = status;
    loop_.Stop();
  };
  std::unique_ptr<InputSource> source;
  const auto stream = rpc::ClientStream<v1::WriteFileInput, v1::WriteFileEvent>::Start(
      loop_, stub_->async(), &Async::Write, {},
      {.on_message = [](const v1::WriteFileEvent&) {},
       .on_ready = [&] { source->Pause(false); },
       .on_closed = [&](const Status& status) { end(Client::Explain(status)); }});
  v1::WriteFileInput first;
  *first.mutable_start() = Ask<v1::WriteFileStart>(path);
  if (mode) first.mutable_start()->set_mode(*mode);
  stream->Write(std::move(first));
  source = std::make_unique<InputSource>(
      loop_, fd,
      InputSource::Events{.on_bytes =
                              [&](std::string_view bytes) {
                                v1::WriteFileInput input;
                                input.set_data(bytes.data(), bytes.size());
                                if (!stream->Write(std::move(input))) source->Pause(true);
                                on_sent(bytes.size());
                              },
                          .on_end =
                              [&] {
                                v1::WriteFileInput commit;
                                commit.set_commit(true);
                                stream->WriteLast(std::move(commit));
                              },
                          .on_error =
                              [&](int error) {
                                end(WithRemedy(DataLoss("what was to be copied cannot be read: {}",
                                                        strerror(error)),
                                               "nothing has been changed in the session"));
                              }});
  loop_.Run();
  return ended;
}

}  // namespace

std::unique_ptr<GuestFiles> OpenGuestFiles(Loop& loop, const RunDir& dir, std::string session) {
  return std::make_unique<RpcGuestFiles>(loop, dir, std::move(session));
}

}  // namespace capsem::cli
