// Serves capsem.v1.Execs: one line per verb.
#pragma once

#include <list>
#include <memory>

#include "api/exec_call.h"
#include "base/loop.h"
#include "capsem/v1/execs.grpc.pb.h"
#include "session/sessions.h"

namespace capsem::service {

using ExecsBase = capsem::v1::Execs::WithRawCallbackMethod_Exec<
    capsem::v1::Execs::WithRawCallbackMethod_Run<capsem::v1::Execs::WithRawCallbackMethod_Attach<
        capsem::v1::Execs::WithRawCallbackMethod_List<
            capsem::v1::Execs::WithRawCallbackMethod_Signal<capsem::v1::Execs::Service>>>>>;

class ExecsRpc final : public ExecsBase {
 public:
  ExecsRpc(Loop& loop, SessionTable& table, Sessions& sessions, BulkGate gate = BulkGate());

 private:
  using Bidi = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  Bidi* Exec(grpc::CallbackServerContext*) override;
  Bidi* Run(grpc::CallbackServerContext*) override;
  Bidi* Attach(grpc::CallbackServerContext*) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                 grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* Signal(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                   grpc::ByteBuffer* out) override;
  Bidi* Serve(ExecCall::Verb verb);

  ExecCall::Shared shared_;
  std::list<std::unique_ptr<ExecCall>> calls_;
  WeakOwner<ExecsRpc> weak_{this};
};

}  // namespace capsem::service
