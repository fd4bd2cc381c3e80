#include "rpc/grpc_threads.h"

#include <dlfcn.h>
#include <grpc/support/time.h>
#include <pthread.h>

#include <catch2/catch.hpp>
#include <thread>

namespace capsem::rpc {

TEST_CASE("gRPC's callback threads do not sleep") {
  PrepareGrpcThreads();
  std::thread callbacks([] {
    pthread_setname_np(pthread_self(), "nexting_thread");
    gpr_sleep_until(gpr_inf_future(GPR_CLOCK_REALTIME));
  });
  callbacks.join();
}

TEST_CASE("it is our function that gRPC's libraries call") {
  PrepareGrpcThreads();
  Dl_info found{}, own{};
  REQUIRE(dladdr(dlsym(RTLD_DEFAULT, "gpr_sleep_until"), &found) != 0);
  REQUIRE(dladdr(reinterpret_cast<void*>(&PrepareGrpcThreads), &own) != 0);
  REQUIRE(found.dli_fbase == own.dli_fbase);
}

TEST_CASE("any other thread sleeps as long as it asks for") {
  const gpr_timespec until =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(5, GPR_TIMESPAN));
  gpr_sleep_until(until);
  REQUIRE(gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC), until) >= 0);
}

}  // namespace capsem::rpc
