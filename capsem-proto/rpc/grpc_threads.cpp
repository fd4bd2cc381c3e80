#include "rpc/grpc_threads.h"

#include <absl/synchronization/mutex.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <string_view>

#include "base/status.h"

namespace capsem::rpc {
namespace {

// The threads that run the callbacks of gRPC's callback API (completion_queue_cc.cc, 1.51).
constexpr std::string_view kCallbackThread = "nexting_thread";

bool IsCallbackThread() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name == kCallbackThread;
}

bool Prepare() {
  // With epoll, the callback threads hand the one set to each other at every event.
  ENSURE(setenv("GRPC_POLL_STRATEGY", "poll", 0) == 0);
  // Debian's Abseil looks for cycles at every lock; gRPC's locks are not ours to check.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return true;
}

}  // namespace

void PrepareGrpcThreads() {
  static const bool prepared = Prepare();
  ENSURE(prepared);
}

}  // namespace capsem::rpc

// In the place of libgpr's: after each second without work a callback thread closes its eyes for
// 100 ms, all of them at once, and whoever calls then waits. They shall go on waiting for work.
extern "C" void gpr_sleep_until(gpr_timespec until) {
  if (capsem::rpc::IsCallbackThread()) return;
  const gpr_timespec left = gpr_time_sub(until, gpr_now(until.clock_type));
  timespec rest{left.tv_sec, left.tv_nsec};
  if (left.tv_sec >= 0) nanosleep(&rest, nullptr);
}
