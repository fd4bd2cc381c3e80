// Who may call process.sock: whoever proves to hold the secret that this process was spawned with.
// File modes and peer uids do not tell our programs apart, for all share one uid. Of any thread.
#pragma once

#include <grpcpp/server_context.h>

#include <string>

#include "base/status.h"
#include "capsem/process/v1/process.pb.h"

namespace capsem::process {

class Door {
 public:
  Door(const std::string& secret, const std::string& session_id);

  // Unauthenticated: the call's metadata has no proof, or a wrong one.
  Status Check(const grpc::CallbackServerContext& context) const;
  // Answers without a proof: it is how the caller learns whom it talks to. InvalidArgument: a nonce
  // of another length, which would let a caller choose what is signed.
  StatusOr<capsem::process::v1::IntroduceResponse> Introduce(
      const capsem::process::v1::IntroduceRequest& request) const;

 private:
  const std::string secret_;
  const std::string session_id_;
  const std::string expected_;
};

}  // namespace capsem::process
