// Serves capsem.v1.Sessions: one line per verb.
#pragma once

#include <list>
#include <memory>

#include "api/session_watch.h"
#include "base/loop.h"
#include "base/weak.h"
#include "capsem/v1/sessions.grpc.pb.h"
#include "session/naming.h"
#include "session/sessions.h"

namespace capsem::service {

using MoreOfSessions = capsem::v1::Sessions::WithRawCallbackMethod_Start<
    capsem::v1::Sessions::WithRawCallbackMethod_Restart<
        capsem::v1::Sessions::WithRawCallbackMethod_Persist<
            capsem::v1::Sessions::WithRawCallbackMethod_Rename<
                capsem::v1::Sessions::WithRawCallbackMethod_Purge<
                    capsem::v1::Sessions::Service>>>>>;
using SessionsBase = capsem::v1::Sessions::WithRawCallbackMethod_Create<
    capsem::v1::Sessions::WithRawCallbackMethod_Get<
        capsem::v1::Sessions::WithRawCallbackMethod_List<
            capsem::v1::Sessions::WithRawCallbackMethod_Watch<
                capsem::v1::Sessions::WithRawCallbackMethod_Stop<
                    capsem::v1::Sessions::WithRawCallbackMethod_Delete<MoreOfSessions>>>>>>;

class SessionsRpc final : public SessionsBase {
 public:
  SessionsRpc(Loop& loop, SessionTable& table, Sessions& sessions, Naming& naming);

 private:
  using Unary = grpc::ServerUnaryReactor;
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;

  Unary* Create(Context*, const Bytes* in, Bytes* out) override;
  Unary* Get(Context*, const Bytes* in, Bytes* out) override;
  Unary* List(Context*, const Bytes* in, Bytes* out) override;
  grpc::ServerWriteReactor<Bytes>* Watch(Context*, const Bytes* in) override;
  Unary* Stop(Context*, const Bytes* in, Bytes* out) override;
  Unary* Delete(Context*, const Bytes* in, Bytes* out) override;
  Unary* Start(Context*, const Bytes* in, Bytes* out) override;
  Unary* Restart(Context*, const Bytes* in, Bytes* out) override;
  Unary* Persist(Context*, const Bytes* in, Bytes* out) override;
  Unary* Rename(Context*, const Bytes* in, Bytes* out) override;
  Unary* Purge(Context*, const Bytes* in, Bytes* out) override;

  Loop& loop_;
  SessionTable& table_;
  Sessions& sessions_;
  Naming& naming_;
  std::list<std::unique_ptr<SessionWatch>> watches_;
  WeakOwner<SessionsRpc> weak_{this};
};

}  // namespace capsem::service
