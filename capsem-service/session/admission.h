// May one more session start on this host? What the host has is measured, then judged by what
// people have configured; judging is pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "session/host_kind.h"
#include "settings/settings.h"

namespace capsem::service {

struct HostRoom {
  uint64_t disk_free = 0;         // bytes, where sessions are kept
  uint64_t memory_available = 0;  // bytes, without swapping
  uint64_t memory_total = 0;      // bytes
  // The sessions with a machine, and what their guests may have of that memory, used or not yet.
  size_t running = 0;
  uint64_t running_memory_mib = 0;
};

struct Candidate {
  uint32_t memory_mib = 0;
  HostKind host = {};
};

// FailedPrecondition: somebody has required what this host does not give.
Status AdmitIsolation(HostKind host, const LoadedSettings& settings);
// ResourceExhausted: with so many bytes free no session is made.
Status AdmitDisk(uint64_t free, const LoadedSettings& settings);
// ResourceExhausted names what there is too little of.
Status Admit(const Candidate& candidate, const HostRoom& room, const LoadedSettings& settings);
// `running…` are the caller's to fill in. What cannot be measured counts as plenty.
HostRoom MeasureHost(const std::string& sessions_dir);

}  // namespace capsem::service
