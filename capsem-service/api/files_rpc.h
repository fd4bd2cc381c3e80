// Serves capsem.v1.Files: one line per verb.
#pragma once

#include <list>
#include <memory>

#include "api/file_call.h"
#include "base/loop.h"
#include "capsem/v1/files.grpc.pb.h"
#include "rpc/on_loop.h"

namespace capsem::service {

using FolderVerbs = capsem::v1::Files::WithRawCallbackMethod_Mkdir<
    capsem::v1::Files::WithRawCallbackMethod_Rename<capsem::v1::Files::WithRawCallbackMethod_Remove<
        capsem::v1::Files::WithRawCallbackMethod_Symlink<capsem::v1::Files::Service>>>>;
using FilesBase = capsem::v1::Files::WithRawCallbackMethod_Read<
    capsem::v1::Files::WithRawCallbackMethod_Write<capsem::v1::Files::WithRawCallbackMethod_Stat<
        capsem::v1::Files::WithRawCallbackMethod_List<FolderVerbs>>>>;

class FilesRpc final : public FilesBase {
 public:
  FilesRpc(Loop& loop, SessionTable& table) : loop_(loop), table_(table) {}

 private:
  using Bytes = grpc::ByteBuffer;
  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  grpc::ServerWriteReactor<Bytes>* Read(Context*, const Bytes* in) override;
  grpc::ServerBidiReactor<Bytes, Bytes>* Write(Context*) override;
  grpc::ServerWriteReactor<Bytes>* List(Context*, const Bytes* in) override;
  Unary* Stat(Context*, const Bytes* in, Bytes* out) override;
  Unary* Mkdir(Context*, const Bytes* in, Bytes* out) override;
  Unary* Rename(Context*, const Bytes* in, Bytes* out) override;
  Unary* Remove(Context*, const Bytes* in, Bytes* out) override;
  Unary* Symlink(Context*, const Bytes* in, Bytes* out) override;

  // `wrap` puts the client's request into one for the process.
  template <typename In, typename Wrap>
  Unary* AskInfo(const Bytes* in, Bytes* out, Wrap wrap) {
    return rpc::OnLoop<In, capsem::v1::FileInfo>(
        loop_, in, out, [this, wrap](const In& request, auto reply) {
          Ask(request.session(), wrap(request), std::move(reply));
        });
  }
  void Ask(const std::string& session, FileRequest request, FileQuestion::Done done);
  // Makes a call that is dropped when it is over.
  template <typename Call>
  Call& Keep(absl::AnyInvocable<std::unique_ptr<Call>(absl::AnyInvocable<void()> on_over)> make);

  Loop& loop_;
  SessionTable& table_;
  std::list<std::unique_ptr<FileCall>> calls_;
  WeakOwner<FilesRpc> weak_{this};
};

}  // namespace capsem::service
