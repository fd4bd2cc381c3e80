// One Exec call on a capsem-process, as the service sees it: inputs in, events out, back-pressure
// both ways. It hides gRPC from whoever relays. Loop thread; may be dropped in any of its own
// events. Dropping it ends the call and, in the guest, nothing: the command goes on without a
// reader.
#pragma once

#include <absl/functional/any_invocable.h>

#include "base/status.h"
#include "capsem/v1/execs.pb.h"

namespace capsem::service {

class ProcessExec {
 public:
  struct Events {
    absl::AnyInvocable<void(capsem::v1::ExecEvent)> on_event;
    // After Write said no.
    absl::AnyInvocable<void()> on_ready;
    // Once, and the last event: Ok after the exit, else why the call broke (Unavailable: why the
    // machine is gone).
    absl::AnyInvocable<void(Status)> on_closed;
  };

  virtual ~ProcessExec() = default;
  // False: enough is on its way, wait for on_ready. The input is taken all the same.
  virtual bool Write(capsem::v1::ExecInput input) = 0;
  // The same, and nothing after it.
  virtual bool WriteLast(capsem::v1::ExecInput input) = 0;
  virtual void FinishWriting() = 0;
  // At most one event still comes after PauseReading(true).
  virtual void PauseReading(bool paused) = 0;
};

}  // namespace capsem::service
