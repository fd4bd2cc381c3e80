// At the start of a service: what the registry says, what lies in the folders and what still runs,
// made to agree. One verdict per session, by a pure function.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/registry.h"

namespace capsem::service {

// What is known of one session.
struct SessionFacts {
  std::optional<SessionRecord> row;
  // False: the registry is new, and may have taken the place of one that was lost.
  bool registry_knows_all = true;
  bool folder = false;
  bool disk = false;
  bool lives = false;  // a process of its machine that could not be ended
};

struct RecoverVerdict {
  enum class Fate {
    kStays,    // as it is recorded
    kStopped,  // its machine is gone, it is not
    kFailed,   // it has lost something
    kFound,    // a disk that no row knows: kept, failed, under no name
    kRemoved,
  };
  Fate fate = Fate::kRemoved;
  std::string reason;  // a sentence, for the log and, unless it is removed, for its user

  bool operator==(const RecoverVerdict&) const = default;
};

RecoverVerdict JudgeSession(const SessionFacts& facts);

// Blocking; before anything is served, under the lock that makes this the only service. Ends what
// still runs in the folders, judges, repairs, with one log line for each that is not as it was, and
// gives the sessions there are, oldest first, stopped or failed.
StatusOr<std::vector<SessionRecord>> RecoverSessions(const std::string& sessions_dir,
                                                     Registry& registry);

}  // namespace capsem::service
