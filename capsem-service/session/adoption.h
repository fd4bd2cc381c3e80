// From a capsem-process that an earlier service has left to one that this service holds: both prove
// that they know the secret of the session's row, then the calls that have come meanwhile go out,
// in order. Who the process is was found out before (session/recover). Owned by sessions, for as
// long as it runs; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "base/weak.h"
#include "session/session_slot.h"

namespace capsem::service {

// Is this the capsem-process of that session, and one that this service can talk to?
// `nonce` is what it was asked with. PermissionDenied, FailedPrecondition: no, and why.
Status CheckIntroduction(const SessionRecord& record, std::string_view nonce,
                         const capsem::process::v1::IntroduceResponse& said);

class Adoption {
 public:
  struct Events {
    // Of its process, for as long as that lives, also after this is gone.
    absl::AnyInvocable<void(const capsem::process::v1::MachineEvent&)> on_machine;
    // Once, and the last event; it may destroy this. Not Ok: it is not held, and is to be ended.
    absl::AnyInvocable<void(Status)> on_done;
  };

  Adoption(SessionSlot& slot, Events events) : slot_(slot), events_(std::move(events)) {}
  Adoption(const Adoption&) = delete;
  Adoption& operator=(const Adoption&) = delete;

  void Start();

 private:
  void OnIntroduced(const StatusOr<capsem::process::v1::IntroduceResponse>& said);

  SessionSlot& slot_;
  Events events_;
  std::string nonce_;
  Clock::TimePoint started_;
  WeakOwner<Adoption> weak_{this};
};

}  // namespace capsem::service
