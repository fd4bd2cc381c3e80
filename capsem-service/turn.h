// Whose turn it is to be the service of a state folder: one has the lock (architecture §2). A
// starter that comes second waits for what becomes of the first: it serves, or it was about to
// leave, and the lock is free. Main thread, before the loop has other work.
#pragma once

#include <optional>
#include <string>

#include "base/loop.h"
#include "base/status.h"
#include "guard/single_instance.h"
#include "wire/run_dir.h"

namespace capsem::service {

struct Turn {
  std::optional<SingleInstance> lock;  // ours, to be held for life; else
  std::string other;                   // a sentence: who serves already
};

// Runs the loop. DeadlineExceeded: the other one has the lock and does not serve.
StatusOr<Turn> TakeTurn(Loop& loop, const RunDir& dirs, const std::string& own_version);

}  // namespace capsem::service
