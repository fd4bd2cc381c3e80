// Messages ↔ gRPC's byte buffers. Servers take calls as bytes (the generated
// WithRawCallbackMethod_… classes) and parse here, because gRPC answers a request that it cannot
// parse itself with an empty UNIMPLEMENTED, and ends a stream as if the caller had finished.
#pragma once

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>

#include "base/status.h"

namespace capsem::rpc {

template <typename Message>
StatusOr<Message> ParseMessage(grpc::ByteBuffer bytes) {
  Message message;
  if (grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok()) return message;
  return WithRemedy(
      InvalidArgument("the request is no well-formed {}", Message::descriptor()->full_name()),
      "text must be UTF-8, and the client built from this version's .proto files");
}

template <typename Message>
grpc::ByteBuffer SerializeMessage(const Message& message) {
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  ENSURE(grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own_buffer).ok());
  return bytes;
}

}  // namespace capsem::rpc
