// A machine: what capsem-process asks of the thing that runs the guest, whatever that is (QEMU, or
// a fake in tests). Owned by the app, on the loop's thread; strangers to it are the vsock device
// and the guest link: the device's socket end is handed in by whoever owns both.
//
// Every `done` is called exactly once, never before the call returned. Destroying a machine ends
// the guest at once and silently: no `done` and no event comes after it.
#pragma once

#include <absl/functional/any_invocable.h>
#include <sys/types.h>

#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::process {

class Machine {
 public:
  struct Exit {
    bool clean = false;    // powered off or restarted by the guest itself, which is how a stop ends
    std::string reason;    // a sentence for the person who owns the session
    bool restart = false;  // the guest wants to begin anew: a new machine on the same disk
  };
  struct Events {
    // In Boot, when the machine is made and before the guest's first instruction: the last moment
    // to do what no guest shall ever see undone. An error fails Boot.
    absl::AnyInvocable<Status()> before_run = [] { return OkStatus(); };
    // Once, and the last event: the machine that had booted is gone. A failed Boot is told by its
    // `done` alone.
    absl::AnyInvocable<void(Exit)> on_exit;
    // The guest stands still because the host cannot serve its disk (no space); Resume goes on.
    absl::AnyInvocable<void(Status)> on_stalled = [](Status) {};
  };
  using Done = absl::AnyInvocable<void(Status)>;

  virtual ~Machine() = default;

  // From nothing to a running guest that has the vsock device; once. `vsock_end` is QEMU's end of
  // the vhost-user socket, whose other end must be served by then. An error leaves no process
  // behind.
  virtual void Boot(UniqueFd vsock_end, Done done) = 0;
  // At once; the end is told by on_exit, or by Boot's `done` when it has not answered yet: with
  // `why`, unless the machine was about to end for a reason of its own.
  virtual void Kill(const std::string& why) = 0;
  virtual void Pause(Done done) = 0;
  virtual void Resume(Done done) = 0;
  // Only after Boot has answered. One plugging or unplugging at a time.
  virtual void PlugVsock(UniqueFd vsock_end, Done done) = 0;
  virtual void UnplugVsock(Done done) = 0;
  // 0 while there is none.
  virtual pid_t pid() const = 0;
};

}  // namespace capsem::process
