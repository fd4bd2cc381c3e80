// Serves capsem.process.v1.Machine: one line per verb; what a verb does is life's, the guest's or
// the app's business.
#pragma once

#include <absl/functional/any_invocable.h>

#include <list>
#include <memory>

#include "api/door.h"
#include "api/exec_call.h"
#include "api/file_call.h"
#include "base/loop.h"
#include "capsem/process/v1/process.grpc.pb.h"
#include "guest/guest_session.h"
#include "life.h"
#include "rpc/on_loop.h"
#include "rpc/server_stream.h"

namespace capsem::process {

// What only the app can do.
struct ProcessVerbs {
  absl::AnyInvocable<void(uint32_t grace_ms, absl::AnyInvocable<void(Status)> done)> stop;
  absl::AnyInvocable<void(const capsem::process::v1::ReplugRequest&,
                          absl::AnyInvocable<void(StatusOr<capsem::process::v1::ReplugResponse>)>)>
      replug;
  absl::AnyInvocable<uint32_t()> machine_pid;
  absl::AnyInvocable<void(bool)> set_keep;
  // A Hold stream began; or one has ended.
  absl::AnyInvocable<void()> on_held;
  absl::AnyInvocable<void()> on_released;
  // Nobody holds this process any more and no call is being served.
  absl::AnyInvocable<void()> on_idle;
};

using MachineService = capsem::process::v1::Machine;
using ProcessRpcBase =
    MachineService::WithRawCallbackMethod_Introduce<MachineService::WithRawCallbackMethod_Hold<
        MachineService::WithRawCallbackMethod_Exec<MachineService::WithRawCallbackMethod_Attach<
            MachineService::WithRawCallbackMethod_ListExecs<
                MachineService::WithRawCallbackMethod_File<
                    MachineService::WithRawCallbackMethod_Signal<
                        MachineService::WithRawCallbackMethod_Stop<
                            MachineService::WithRawCallbackMethod_SetKeep<
                                MachineService::WithRawCallbackMethod_Replug<
                                    MachineService::Service>>>>>>>>>>;

class ProcessRpc final : public ProcessRpcBase {
 public:
  ProcessRpc(Loop& loop, Life& life, GuestSession& guest, const Door& door, ProcessVerbs verbs);

  grpc::ServerUnaryReactor* Introduce(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                      grpc::ByteBuffer* out) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Hold(grpc::CallbackServerContext*,
                                                   const grpc::ByteBuffer* in) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Exec(
      grpc::CallbackServerContext*) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Attach(
      grpc::CallbackServerContext*) override;
  grpc::ServerUnaryReactor* ListExecs(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                      grpc::ByteBuffer* out) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* File(
      grpc::CallbackServerContext*) override;
  grpc::ServerUnaryReactor* Signal(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                   grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* Stop(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                 grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* SetKeep(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                    grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* Replug(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                   grpc::ByteBuffer* out) override;

  // No Hold stream, and no Exec, Attach or File call, is open.
  bool idle() const { return holds_.empty() && execs_.empty() && files_.empty(); }

 private:
  using HoldStream = rpc::ServerWriter<capsem::process::v1::MachineEvent>;

  // A unary verb behind the door.
  template <typename Request, typename Response, typename Handler>
  grpc::ServerUnaryReactor* Guarded(const grpc::CallbackServerContext& context,
                                    const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
                                    Handler handler) {
    return rpc::OnLoop<Request, Response>(
        loop_, in, out,
        [allowed = door_.Check(context), handler = std::move(handler)](const Request& request,
                                                                       auto reply) mutable {
          if (!allowed.ok()) return reply(allowed);
          handler(request, std::move(reply));
        });
  }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ServeExec(
      const grpc::CallbackServerContext& context);
  void AddHold(std::unique_ptr<HoldStream> stream);
  void TellHolds();
  capsem::process::v1::MachineEvent Now();
  void AfterRemoval();

  Loop& loop_;
  Life& life_;
  GuestSession& guest_;
  const Door& door_;
  ProcessVerbs verbs_;
  std::list<std::unique_ptr<HoldStream>> holds_;
  std::list<std::unique_ptr<ExecCall>> execs_;
  std::list<std::unique_ptr<FileCall>> files_;
};

}  // namespace capsem::process
