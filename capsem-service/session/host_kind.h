// What this host gives its sessions: hardware virtualization, or emulation. Decided by the KVM
// probe.
#pragma once

#include "capsem/v1/common.pb.h"
#include "session/session_spec.h"

namespace capsem::service {

struct HostKind {
  bool kvm = false;

  Emulation emulation() const { return kvm ? Emulation::kHardware : Emulation::kEmulated; }
  capsem::v1::Isolation isolation() const {
    return kvm ? capsem::v1::ISOLATION_HARDWARE : capsem::v1::ISOLATION_EMULATED;
  }
  const char* accelerator() const { return kvm ? "kvm" : "tcg"; }
};

}  // namespace capsem::service
