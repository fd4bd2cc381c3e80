// Runs the probe's guest (kvm_probe_guest.S) on /dev/kvm, once, in the calling process. A broken
// KVM may never come back from it: call it in a child that can be killed (kvm_probe).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::process {

// All that the guest says when KVM is what it claims to be.
inline constexpr std::string_view kKvmGuestSays = "RPLI3iFfD";

struct KvmRun {
  std::string progress;  // what the guest said
  std::string end;       // "halt", or how KVM gave up, or "still running"
};

// Unimplemented: not on this kind of processor. Internal: KVM refused a step before the guest ran.
StatusOr<KvmRun> RunKvmGuest(std::chrono::milliseconds limit);

}  // namespace capsem::process
