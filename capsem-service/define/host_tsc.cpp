// Platform: x86; elsewhere: the rate is unknown, and no kernel there asks for it.
#include "define/host_tsc.h"

#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace capsem::service {

#if defined(__x86_64__)
namespace {

constexpr int kTries = 8;

std::chrono::nanoseconds RawTime() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

std::optional<TscSample> SampleTsc() {
  TscSample best;
  uint64_t shortest = UINT64_MAX;
  for (int i = 0; i < kTries; ++i) {
    const uint64_t before = __rdtsc();
    const auto at = RawTime();
    const uint64_t took = __rdtsc() - before;
    if (took >= shortest) continue;
    shortest = took;
    best = {before + took / 2, at};
  }
  return best;
}
#else
std::optional<TscSample> SampleTsc() { return std::nullopt; }
#endif

std::optional<int> TscMhz(const TscSample& first, const TscSample& second) {
  const auto apart = second.at - first.at;
  if (apart < kShortestTscMeasure || second.ticks <= first.ticks) return std::nullopt;
  const auto ticks = static_cast<double>(second.ticks - first.ticks);
  const double mhz = ticks * 1000.0 / static_cast<double>(apart.count());
  // What has been built runs between 500 MHz and 6 GHz; anything else is a counter that jumped.
  if (mhz < 500 || mhz > 20'000) return std::nullopt;
  return static_cast<int>(mhz + 0.5);
}

int HostTsc::mhz() {
  if (!mhz_ && first_) {
    if (const auto now = SampleTsc()) mhz_ = TscMhz(*first_, *now);
  }
  return mhz_.value_or(0);
}

}  // namespace capsem::service
