// How fast the host's time-stamp counter runs: what an emulated guest reads as its own. Told to the
// guest's kernel, because measuring it there goes wrong on a busy host: 768 instead of 2594 MHz was
// seen, and a clock that ran three times too fast.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace capsem::service {

// One look at both clocks, as near to one moment as several tries came.
struct TscSample {
  uint64_t ticks = 0;
  std::chrono::nanoseconds at{0};  // CLOCK_MONOTONIC_RAW, which nobody slews
};

// Nothing where the processor has no such counter.
std::optional<TscSample> SampleTsc();
// Nothing when the two lie less than kShortestTscMeasure apart, or make no sense. Rounded to a MHz,
// so that one host gives one answer: the guest's kernel takes it for near enough (it wants 1 %) and
// refines it by the ACPI timer.
std::optional<int> TscMhz(const TscSample& first, const TscSample& second);

// Two samples are off by less than a microsecond each: 0.2 % of this.
inline constexpr std::chrono::milliseconds kShortestTscMeasure{1};

// Measures from when it is made to the first time it is asked, and keeps that answer. Any thread,
// one at a time.
class HostTsc {
 public:
  HostTsc() : first_(SampleTsc()) {}

  // 0: unknown; the guest's kernel has to measure it.
  int mhz();

 private:
  std::optional<TscSample> first_;
  std::optional<int> mhz_;
};

}  // namespace capsem::service
