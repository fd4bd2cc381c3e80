// Execs of one command through the API, one after the other, as a gRPC client sees them:
//
//   exec-client SOCKET SESSION ROUNDS PROGRAM [ARGUMENT…]
//
// One line for each: its time from the call to the end of its stream, in microseconds. Between two
// there are 10 ms without work, as in exec_timer.c: it is the time of one command on a machine that
// waits for it, not the rate of many.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "capsem/v1/execs.grpc.pb.h"

namespace {

using capsem::v1::ExecEvent;
using capsem::v1::ExecInput;
using std::chrono::steady_clock;

constexpr useconds_t kPauseMicros = 10'000;

bool Run(capsem::v1::Execs::Stub& stub, const ExecInput& start) {
  grpc::ClientContext context;
  const auto stream = stub.Exec(&context);
  stream->WriteLast(start, {});
  ExecEvent event;
  bool ended_well = false;
  while (stream->Read(&event)) ended_well = event.has_exit() && event.exit().code() == 0;
  return stream->Finish().ok() && ended_well;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const auto channel =
      grpc::CreateChannel(std::string("unix:") + argv[1], grpc::InsecureChannelCredentials());
  const auto stub = capsem::v1::Execs::NewStub(channel);
  ExecInput input;
  input.mutable_start()->set_session(argv[2]);
  for (char** word = argv + 4; *word != nullptr; ++word) input.mutable_start()->add_argv(*word);
  for (int left = std::atoi(argv[3]); left > 0; --left) {
    usleep(kPauseMicros);
    const auto start = steady_clock::now();
    if (!Run(*stub, input)) return 1;
    const auto took = steady_clock::now() - start;
    std::printf("%ld\n", static_cast<long>(
                             std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  }
  return 0;
}
