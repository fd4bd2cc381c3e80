// At the start of a service: what the registry says, what lies in the folders and what still runs,
// made to agree. One verdict per session, by a pure function.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "store/registry.h"
#include "supervise/last_word.h"

namespace capsem::service {

// What is known of one session.
struct SessionFacts {
  std::optional<SessionRecord> row;
  // False: the registry is new, and may have taken the place of one that was lost.
  bool registry_knows_all = true;
  bool folder = false;
  bool disk = false;
  uint64_t disk_bytes = 0;
  bool lives = false;  // a process of its machine that could not be ended
  // The capsem-process of its row lives: the same pid, start, boot, program and folder.
  bool goes_on = false;
  bool same_boot = true;  // of the host, as that of its row
  std::optional<LastWord> last_word = {};
};

struct RecoverVerdict {
  enum class Fate {
    kStays,    // as it is recorded
    kRuns,     // its machine has outlived the service, and is to be adopted
    kStopped,  // its machine is gone, it is not
    kStarts,   // the same, and another is to be started: its guest has restarted itself
    kFailed,   // it has lost something
    kFound,    // a disk that no row knows: kept, failed, under no name
    kRemoved,
  };
  Fate fate = Fate::kRemoved;
  std::string reason;  // a sentence, for the log and, unless it is removed, for its user

  bool operator==(const RecoverVerdict&) const = default;
};

RecoverVerdict JudgeSession(const SessionFacts& facts);

struct RecoveredSession {
  SessionRecord record;
  UniqueFd process;     // a pidfd of its capsem-process; invalid: it has none
  bool starts = false;  // stopped, and to be started: a reboot goes on without a service, too
};

// Blocking; before anything is served, under the lock that makes this the only service. Judges,
// ends what runs in the folders and does not go on, repairs, with one log line for each that is not
// as it was, and gives the sessions there are, oldest first: running, stopped or failed.
StatusOr<std::vector<RecoveredSession>> RecoverSessions(const std::string& sessions_dir,
                                                        Registry& registry);

}  // namespace capsem::service
