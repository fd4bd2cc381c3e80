#include "machine/byte_budget.h"

#include <algorithm>

namespace capsem::process {

ByteBudget::ByteBudget(size_t burst, size_t per_second, Clock::TimePoint now)
    : burst_(static_cast<double>(burst)),
      per_second_(static_cast<double>(per_second)),
      left_(burst_),
      filled_(now) {}

size_t ByteBudget::Take(size_t wanted, Clock::TimePoint now) {
  const std::chrono::duration<double> passed = now - filled_;
  filled_ = now;
  left_ = std::min(burst_, left_ + passed.count() * per_second_);
  const size_t taken = std::min(wanted, static_cast<size_t>(left_));
  left_ -= static_cast<double>(taken);
  return taken;
}

}  // namespace capsem::process
