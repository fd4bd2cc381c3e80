#include "auth/attempts.h"

namespace capsem::gateway {

bool Attempts::Fail(Clock::TimePoint now) {
  if (failures_ == 0 || now - since_ >= kWindow) {
    since_ = now;
    failures_ = 0;
  }
  if (failures_ <= kLimit) ++failures_;
  return failures_ > kLimit;
}

}  // namespace capsem::gateway
