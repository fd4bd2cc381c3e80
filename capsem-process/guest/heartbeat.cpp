#include "guest/heartbeat.h"

#include <utility>

namespace capsem::process {

Heartbeat::Verdict Heartbeat::Beat() {
  return std::exchange(heard_, false) ? Verdict::kAsk : Verdict::kSilent;
}

}  // namespace capsem::process
