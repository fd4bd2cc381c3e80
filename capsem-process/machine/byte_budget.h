// How many bytes of somebody else's text may be kept: a burst at once, then so many a second. Pure.
#pragma once

#include <cstddef>

#include "base/clock.h"

namespace capsem::process {

class ByteBudget {
 public:
  // Starts full, with `burst` bytes.
  ByteBudget(size_t burst, size_t per_second, Clock::TimePoint now);

  // How many of `wanted` bytes may be kept now; these are spent.
  size_t Take(size_t wanted, Clock::TimePoint now);

 private:
  const double burst_;
  const double per_second_;
  double left_;
  Clock::TimePoint filled_;
};

}  // namespace capsem::process
