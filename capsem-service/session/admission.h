// May one more session start on this host? What the host has is measured, then judged; judging is
// pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"

namespace capsem::service {

struct HostRoom {
  uint64_t disk_free = 0;         // bytes, where sessions are kept
  uint64_t memory_available = 0;  // bytes, without swapping
  size_t running = 0;             // sessions with a machine
};

// ResourceExhausted: with so many bytes free no session is made.
Status AdmitDisk(uint64_t free);
// ResourceExhausted names what there is too little of.
Status Admit(uint32_t memory_mib, const HostRoom& room);
// `running` is the caller's to fill in. What cannot be measured counts as plenty.
HostRoom MeasureHost(const std::string& sessions_dir);

}  // namespace capsem::service
