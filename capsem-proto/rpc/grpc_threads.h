// What gRPC 1.51's own threads need to be told before the first of them runs; measured in
// docs/decisions/0007-what-an-exec-waits-for.md.
#pragma once

namespace capsem::rpc {

// Once for the process, before anything of gRPC; more often does nothing.
void PrepareGrpcThreads();

}  // namespace capsem::rpc
