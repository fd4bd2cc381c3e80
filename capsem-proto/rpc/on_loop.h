// How a unary call crosses to the loop and back; the reason that no other file mentions threads.
//
// 1. gRPC calls the service's method on a thread of its own; the method returns OnLoop(...).
// 2. OnLoop parses the request there (no such message: InvalidArgument) and posts the handler.
// 3. The handler runs on the loop with the request and a Reply, which it may keep for long.
// 4. The Reply is answered once, with a value or an error; one that is dropped says INTERNAL.
// 5. A caller that leaves, or a server that shuts down, ends the call; a late answer goes nowhere.
//
//   class SessionsRpc : public Sessions::WithRawCallbackMethod_Get<Sessions::Service> {
//     grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext*, const grpc::ByteBuffer* in,
//                                   grpc::ByteBuffer* out) override {
//       return OnLoop<GetSessionRequest, Session>(loop_, in, out, [this](auto& request, auto reply)
//       {
//         reply(table_.Get(request.session()));
//       });
//     }
#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/message.h"

namespace capsem::rpc {

namespace internal {
// Owned by gRPC until OnDone, and by the Reply.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  static std::shared_ptr<UnaryReactor> Create(grpc::ByteBuffer* response);
  // From any thread; only the first answer counts.
  void Answer(const Status& status, grpc::ByteBuffer response);

 private:
  explicit UnaryReactor(grpc::ByteBuffer* response) : response_(response) {}
  void OnCancel() override;
  void OnDone() override;

  grpc::ByteBuffer* const response_;  // gRPC's; good until Finish
  std::atomic<bool> answered_ = false;
  std::shared_ptr<UnaryReactor> self_;
};
}  // namespace internal

// The answer that a caller waits for. Moves; lives on the loop.
template <typename Response>
class Reply {
 public:
  explicit Reply(std::shared_ptr<internal::UnaryReactor> call) : call_(std::move(call)) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (call_) (*this)(Internal("the call was dropped without an answer"));
  }

  void operator()(StatusOr<Response> answer) {
    ENSURE(call_ != nullptr);
    const auto call = std::move(call_);
    call->Answer(answer.status(), answer.ok() ? SerializeMessage(*answer) : grpc::ByteBuffer());
  }

 private:
  std::shared_ptr<internal::UnaryReactor> call_;
};

template <typename Request, typename Response, typename Handler>
grpc::ServerUnaryReactor* OnLoop(Loop& loop, const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
                                 Handler handler) {
  const auto call = internal::UnaryReactor::Create(out);
  StatusOr<Request> request = ParseMessage<Request>(*in);
  if (!request.ok()) {
    call->Answer(request.status(), {});
    return call.get();
  }
  loop.Post([handler = std::move(handler), request = *std::move(request),
             reply = Reply<Response>(call)]() mutable { handler(request, std::move(reply)); });
  return call.get();
}

}  // namespace capsem::rpc
