#include "base/backoff.h"

#include <algorithm>

namespace capsem {

std::chrono::milliseconds Backoff::Delay(int failures) const {
  std::chrono::milliseconds delay = first;
  for (int i = 1; i < failures && delay < most; ++i) delay *= 2;
  return std::min(delay, most);
}

}  // namespace capsem
