#include "api/door.h"

#include <string_view>

#include "protocol.h"
#include "wire/limits.h"
#include "wire/proof.h"

namespace capsem::process {

using capsem::process::v1::IntroduceRequest;
using capsem::process::v1::IntroduceResponse;

Door::Door(const std::string& secret, const std::string& session_id)
    : secret_(secret), session_id_(session_id), expected_(wire::ServiceProof(secret, session_id)) {}

Status Door::Check(const grpc::CallbackServerContext& context) const {
  const auto found = context.client_metadata().find(wire::kProofKey);
  if (found != context.client_metadata().end() &&
      wire::SameProof(std::string_view(found->second.data(), found->second.size()), expected_)) {
    return OkStatus();
  }
  return WithRemedy(Unauthenticated("this socket is for the capsem-service that started it"),
                    "ask capsem-service, on service.sock");
}

StatusOr<IntroduceResponse> Door::Introduce(const IntroduceRequest& request) const {
  if (request.nonce().size() != wire::kNonceBytes) {
    return InvalidArgument("a nonce has {} bytes, not {}", wire::kNonceBytes,
                           request.nonce().size());
  }
  IntroduceResponse response;
  response.set_nonce(wire::RandomBytes(wire::kNonceBytes));
  response.set_proof(wire::ProcessProof(secret_, request.nonce(), response.nonce()));
  response.set_session_id(session_id_);
  response.set_protocol_min(wire::kProcessProtocolMin);
  response.set_protocol_max(NewestProtocol());
  response.set_build(CAPSEM_VERSION);
  return response;
}

}  // namespace capsem::process
