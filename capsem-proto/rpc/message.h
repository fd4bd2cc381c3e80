// Messages ↔ gRPC's byte buffers. Servers take calls as bytes (the generated
// WithRawCallbackMethod_… classes) and parse here, because gRPC answers a request that it cannot
// parse itself with an empty UNIMPLEMENTED, and ends a stream as if the caller had finished.
#pragma once

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>

#include "base/status.h"

namespace capsem::rpc {

// Of one message, either way. gRPC takes kMaxReceivedBytes, so that what is somewhat larger gets an
// error of ours, with what helps; what is larger still, gRPC's RESOURCE_EXHAUSTED without.
inline constexpr size_t kMaxMessageBytes = 4 * 1024 * 1024;
inline constexpr size_t kMaxReceivedBytes = 4 * kMaxMessageBytes;

inline Status CheckMessageSize(size_t bytes) {
  if (bytes <= kMaxMessageBytes) return OkStatus();
  return WithRemedy(
      ResourceExhausted("a message of {} bytes: the limit is {} bytes", bytes, kMaxMessageBytes),
      "send less at once: what is long goes through stdin, in pieces of at most 256 KiB");
}

template <typename Message>
StatusOr<Message> ParseMessage(grpc::ByteBuffer bytes) {
  TRY(CheckMessageSize(bytes.Length()));
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
