#include "api/execs_rpc.h"

#include "rpc/on_loop.h"
#include "session/exec_spec.h"

namespace capsem::service {

using capsem::v1::ListExecsRequest;
using capsem::v1::ListExecsResponse;
using capsem::v1::SignalRequest;
using capsem::v1::SignalResponse;

ExecsRpc::ExecsRpc(Loop& loop, SessionTable& table, Sessions& sessions, BulkGate gate)
    : shared_{loop, table, sessions, std::move(gate)} {}

ExecsRpc::Bidi* ExecsRpc::Exec(grpc::CallbackServerContext*) {
  return Serve(ExecCall::Verb::kExec);
}

ExecsRpc::Bidi* ExecsRpc::Run(grpc::CallbackServerContext*) { return Serve(ExecCall::Verb::kRun); }

ExecsRpc::Bidi* ExecsRpc::Attach(grpc::CallbackServerContext*) {
  return Serve(ExecCall::Verb::kAttach);
}

ExecsRpc::Bidi* ExecsRpc::Serve(ExecCall::Verb verb) {
  return ExecCall::Stream::Accept(
      shared_.loop, [this, verb](std::unique_ptr<ExecCall::Stream> stream) {
        const auto place = calls_.emplace(calls_.end());
        *place = std::make_unique<ExecCall>(verb, shared_, std::move(stream), [this, place] {
          // Later: an event of the call's own streams may be on the stack.
          shared_.loop.Post([self = weak_.Get(), place] {
            if (self) self->calls_.erase(place);
          });
        });
      });
}

grpc::ServerUnaryReactor* ExecsRpc::List(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                         grpc::ByteBuffer* out) {
  return rpc::OnLoop<ListExecsRequest, ListExecsResponse>(
      shared_.loop, in, out,
      [this](const ListExecsRequest& request, rpc::Reply<ListExecsResponse> reply) {
        const auto slot = shared_.table.Live(request.session());
        if (!slot.ok()) return reply(slot.status());
        (*slot)->client->ListExecs(
            [reply = std::move(reply)](auto list) mutable { reply(std::move(list)); });
      });
}

grpc::ServerUnaryReactor* ExecsRpc::Signal(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
                                           grpc::ByteBuffer* out) {
  return rpc::OnLoop<SignalRequest, SignalResponse>(
      shared_.loop, in, out,
      [this](const SignalRequest& request, rpc::Reply<SignalResponse> reply) {
        const Status checked = CheckSignal(request.signal());
        if (!checked.ok()) return reply(checked);
        const auto slot = shared_.table.Live(request.session());
        if (!slot.ok()) return reply(slot.status());
        (*slot)->client->Signal(request, [reply = std::move(reply)](const Status& status) mutable {
          if (!status.ok()) return reply(status);
          reply(SignalResponse());
        });
      });
}

}  // namespace capsem::service
