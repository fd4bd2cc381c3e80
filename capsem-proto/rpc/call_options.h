// What a caller may say about one call.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>

namespace capsem::rpc {

struct CallOptions {
  std::chrono::milliseconds timeout{0};  // 0 = no deadline
};

inline void Apply(const CallOptions& options, grpc::ClientContext& context) {
  if (options.timeout.count() <= 0) return;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
}

}  // namespace capsem::rpc
