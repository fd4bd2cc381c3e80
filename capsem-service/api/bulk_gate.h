// Lets bulk output wait where others would wait for it: an event of a quarter of a MiB costs the
// service as much processor as a whole small command of another session, and a machine that
// floods would take the processors from those who ask for little. Only where both are so: another
// session was served in small pieces just now, and processors are short. Loop thread.
//
// Figures: docs/decisions/0011.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "wire/ids.h"

namespace capsem::service {

class BulkGate {
 public:
  // Output of less is small.
  static constexpr size_t kBulk = 64 * 1024;
  // Of all events of bulk output together, one passes in this time: of 256 KiB, 31 MiB/s.
  static constexpr std::chrono::milliseconds kSlot{8};
  // So long after a small event its session counts as served just now.
  static constexpr std::chrono::milliseconds kServed{100};

  // `schedstat` says how long this thread ran and how long it waited for a processor, in ns
  // (kernel, scheduler/sched-stats.rst). Without it, processors are never short.
  explicit BulkGate(const std::string& schedstat = "/proc/thread-self/schedstat");

  // An event with so much output of this session has passed: how long its stream waits now.
  std::chrono::milliseconds Pass(const SessionId& session, size_t bytes, Clock::TimePoint now);

 private:
  struct Served {
    SessionId session;
    Clock::TimePoint when;
  };
  void NoteSmall(const SessionId& session, Clock::TimePoint now);
  bool OtherServed(const SessionId& session, Clock::TimePoint now) const;
  // This thread waits for one, a fifth of its time or more.
  bool ProcessorsAreShort(Clock::TimePoint now);

  UniqueFd schedstat_;
  std::optional<Served> last_, before_;  // of two sessions
  Clock::TimePoint next_slot_{};
  Clock::TimePoint looked_{};
  uint64_t ran_ = 0, waited_ = 0;  // ns, at the last look
  bool short_ = false;
};

}  // namespace capsem::service
