// One Exec or Run call, as the flow of a command sees it (remote_command): the service's, or a
// test's. Dropping it ends the call; what the command does then is its on_disconnect.
#pragma once

#include <absl/functional/any_invocable.h>

#include "base/status.h"
#include "capsem/v1/execs.pb.h"

namespace capsem::cli {

class CommandStream {
 public:
  struct Events {
    absl::AnyInvocable<void(v1::ExecEvent)> on_event;
    absl::AnyInvocable<void()> on_ready;  // after Write said no
    absl::AnyInvocable<void(Status)> on_closed;
  };
  virtual ~CommandStream() = default;
  // False: enough waits to be sent; more after on_ready.
  virtual bool Write(v1::ExecInput input) = 0;
  virtual void FinishWriting() = 0;
  // At most one event still comes after PauseReading(true).
  virtual void PauseReading(bool paused) = 0;
};

}  // namespace capsem::cli
