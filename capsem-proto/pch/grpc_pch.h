// Precompiled for the few files that may see gRPC (house rules: api/*, *_client, client, rpc/*).
#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>
