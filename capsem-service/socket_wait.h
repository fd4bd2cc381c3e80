// For a starter that came second: waits until the service of the first one can be connected to.
// Woken by the folder (inotify), not by a clock. Owned by main; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/fd_watch.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "base/weak.h"

namespace capsem::service {

class SocketWait {
 public:
  // `done` comes once, from the loop. DeadlineExceeded: nobody listened within `limit`.
  SocketWait(Loop& loop, std::string path, std::chrono::milliseconds limit,
             absl::AnyInvocable<void(Status)> done);
  SocketWait(const SocketWait&) = delete;
  SocketWait& operator=(const SocketWait&) = delete;

 private:
  Status WatchFolder();
  void Look();
  void Tell(const Status& status);

  Loop& loop_;
  const std::string path_;
  absl::AnyInvocable<void(Status)> done_;
  UniqueFd inotify_;
  Timer limit_;
  std::unique_ptr<FdWatch> watch_;  // after inotify_: destroyed first
  WeakOwner<SocketWait> weak_{this};
};

}  // namespace capsem::service
