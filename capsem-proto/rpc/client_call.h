// A unary call whose answer arrives on the loop.
//
//   rpc::CallUnary(loop, stub->async(), &Sessions::StubInterface::async_interface::Get, request,
//   {},
//                  [](StatusOr<Session> session) { ... });
//
// `done` comes once, from the loop, never from within CallUnary; never, when the loop ends before.
#pragma once

#include <absl/functional/any_invocable.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <type_traits>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/call_options.h"
#include "rpc/status_code.h"

namespace capsem::rpc {

// Cancels a call; it then ends with Cancelled. Copies name the same call; dropping it does nothing.
class CallHandle {
 public:
  CallHandle() = default;
  explicit CallHandle(std::shared_ptr<grpc::ClientContext> context)
      : context_(std::move(context)) {}
  void Cancel() {
    if (context_) context_->TryCancel();
  }

 private:
  std::shared_ptr<grpc::ClientContext> context_;
};

template <typename Stub, typename Async, typename Request, typename Response>
CallHandle CallUnary(Loop& loop, Stub* stub,
                     void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                           std::function<void(grpc::Status)>),
                     const std::type_identity_t<Request>& request, const CallOptions& options,
                     std::type_identity_t<absl::AnyInvocable<void(StatusOr<Response>)>> done) {
  struct State {
    Request request;
    Response response;
    absl::AnyInvocable<void(StatusOr<Response>)> done;
  };
  const auto context = std::make_shared<grpc::ClientContext>();
  Apply(options, *context);
  const auto state = std::make_shared<State>(State{request, {}, std::move(done)});
  (stub->*method)(context.get(), &state->request, &state->response,
                  [loop = loop.postbox(), context, state](const grpc::Status& status) {
                    loop->Post([state, status = FromGrpc(status)] {
                      if (!status.ok()) return state->done(status);
                      state->done(std::move(state->response));
                    });
                  });
  return CallHandle(context);
}

}  // namespace capsem::rpc
