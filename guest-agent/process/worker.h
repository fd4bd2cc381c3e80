// Work that may sleep on a user's file system (sync, files of /etc), done by a forked process with
// a time limit: the loop itself never waits for a file system that it may serve.
#pragma once

#include <chrono>
#include <functional>

#include "base/loop.h"
#include "base/status.h"
#include "process/reaper.h"

namespace capsem::agent {

// `work` runs in the child and answers with an errno, 0 for success. `done` comes once, from the
// loop: DeadlineExceeded after `limit`, whether the child could be killed or not.
void RunInWorker(Loop& loop, Reaper& reaper, std::chrono::milliseconds limit,
                 const std::function<int()>& work, absl::AnyInvocable<void(Status)> done);

}  // namespace capsem::agent
