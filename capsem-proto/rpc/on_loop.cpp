#include "rpc/on_loop.h"

#include "rpc/status_code.h"

namespace capsem::rpc::internal {

std::shared_ptr<UnaryReactor> UnaryReactor::Create(grpc::ByteBuffer* response) {
  const std::shared_ptr<UnaryReactor> reactor(new UnaryReactor(response));
  reactor->self_ = reactor;
  return reactor;
}

void UnaryReactor::Answer(const Status& status, grpc::ByteBuffer response) {
  // gRPC's threads (OnCancel) and the loop may come at once; after the first, `response_` may be
  // gone.
  if (answered_.exchange(true)) return;
  response_->Swap(&response);
  Finish(ToGrpc(status));
}

void UnaryReactor::OnCancel() { Answer(Cancelled("the caller went away"), {}); }

void UnaryReactor::OnDone() { const auto last_use = std::move(self_); }

}  // namespace capsem::rpc::internal
