// Our status ↔ gRPC's; the only place that maps. The codes have the same numbers; the cause is
// gRPC's message; code, cause and remedy travel once more, whole, in a serialized capsem.v1.Error
// ("grpc-status-details-bin").
#pragma once

#include <grpcpp/support/status.h>

#include "base/status.h"

namespace capsem::rpc {

// Texts are cut to 1 KiB each, and what is not UTF-8 in them becomes '?': a trailer holds 8 KiB,
// and proto3 strings are UTF-8.
grpc::Status ToGrpc(const Status& status);
// Keeps the remedy. An error that gRPC made itself has none.
Status FromGrpc(const grpc::Status& status);
// Of a status from FromGrpc: gRPC made it, no server of ours said so.
bool IsGrpcsOwn(const Status& status);

}  // namespace capsem::rpc
