// One call with two streams on a capsem-process, as the service sees it: inputs in, events out,
// back-pressure both ways. It hides gRPC from whoever relays. Loop thread; may be dropped in any of
// its own events. Dropping it ends the call: what that means for the guest is the call's own
// business (process.proto).
#pragma once

#include <absl/functional/any_invocable.h>

#include "base/status.h"
#include "capsem/process/v1/process.pb.h"
#include "capsem/v1/execs.pb.h"

namespace capsem::service {

template <typename In, typename Out>
class ProcessStream {
 public:
  using Input = In;
  using Event = Out;
  struct Events {
    absl::AnyInvocable<void(Event)> on_event;
    // After Write said no.
    absl::AnyInvocable<void()> on_ready;
    // Once, and the last event: Ok after all events, else why the call broke (Unavailable: why the
    // machine is gone).
    absl::AnyInvocable<void(Status)> on_closed;
  };

  virtual ~ProcessStream() = default;
  // False: enough is on its way, wait for on_ready. The input is taken all the same.
  virtual bool Write(Input input) = 0;
  // The same, and nothing after it.
  virtual bool WriteLast(Input input) = 0;
  virtual void FinishWriting() = 0;
  // At most one event still comes after PauseReading(true).
  virtual void PauseReading(bool paused) = 0;
};

using ProcessExec = ProcessStream<capsem::v1::ExecInput, capsem::v1::ExecEvent>;
using ProcessFileCall =
    ProcessStream<capsem::process::v1::FileInput, capsem::process::v1::FileEvent>;

}  // namespace capsem::service
