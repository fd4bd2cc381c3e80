#include "lease.h"

#include <utility>

#include "base/log.h"

namespace capsem::process {

Lease::Lease(Loop& loop, std::chrono::milliseconds length, absl::AnyInvocable<void()> on_over)
    : length_(length), on_over_(std::move(on_over)), timer_(loop) {}

void Lease::Hold() {
  held_ = true;
  ++holds_;
  if (timer_.active()) log::Info("somebody stands behind this machine again");
  timer_.Cancel();
}

void Lease::Release() {
  if (--holds_ != 0 || !on_over_) return;
  log::Warning("nobody stands behind this machine", {{"lease_ms", length_.count()}});
  timer_.Start(length_, [this] { Over(); });
}

void Lease::ParentGone() {
  if (!held_) Over();
}

void Lease::Cancel() {
  on_over_ = nullptr;
  timer_.Cancel();
}

void Lease::Over() {
  if (!on_over_) return;
  auto on_over = std::exchange(on_over_, nullptr);
  on_over();
}

}  // namespace capsem::process
