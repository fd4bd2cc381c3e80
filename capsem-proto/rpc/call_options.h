// What a caller may say about one call.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <map>
#include <string>

namespace capsem::rpc {

struct CallOptions {
  std::chrono::milliseconds timeout{0};  // 0 = no deadline
  std::map<std::string, std::string> metadata = {};
};

inline void Apply(const CallOptions& options, grpc::ClientContext& context) {
  for (const auto& [key, value] : options.metadata) context.AddMetadata(key, value);
  if (options.timeout.count() <= 0) return;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
}

}  // namespace capsem::rpc
