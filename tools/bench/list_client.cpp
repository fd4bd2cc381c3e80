// Lists of all sessions through the API, one after the other, as a gRPC client sees them:
//
//   list-client SOCKET ROUNDS SESSIONS
//
// One line for each: its time from the call to its answer, parsed, in microseconds. An answer
// without that many sessions ends it.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "capsem/v1/sessions.grpc.pb.h"

int main(int argc, char** argv) {
  using std::chrono::steady_clock;
  if (argc != 4) return 2;
  const auto channel =
      grpc::CreateChannel(std::string("unix:") + argv[1], grpc::InsecureChannelCredentials());
  const auto stub = capsem::v1::Sessions::NewStub(channel);
  for (int left = std::atoi(argv[2]); left > 0; --left) {
    grpc::ClientContext context;
    capsem::v1::ListSessionsResponse answer;
    const auto start = steady_clock::now();
    const bool ok = stub->List(&context, {}, &answer).ok();
    const auto took = steady_clock::now() - start;
    if (!ok || answer.sessions_size() != std::atoi(argv[3])) return 1;
    std::printf("%ld\n", static_cast<long>(
                             std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  }
  return 0;
}
