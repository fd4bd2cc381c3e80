// What a session is called, and whether it stays. Each change holds at once, so that nobody else
// can take the name meanwhile, and is answered when it is recorded; one that cannot be recorded is
// taken back. Owned by app; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string_view>

#include "base/loop.h"
#include "base/status.h"
#include "base/weak.h"
#include "session/session_table.h"
#include "session/verb_rules.h"

namespace capsem::service {

class Naming {
 public:
  using Done = absl::AnyInvocable<void(StatusOr<capsem::v1::Session>)>;

  Naming(Loop& loop, SessionTable& table) : loop_(loop), table_(table) {}
  Naming(const Naming&) = delete;
  Naming& operator=(const Naming&) = delete;

  // Makes an ephemeral session stay. An empty name: it stays without one.
  void Persist(std::string_view session, std::string_view name, Done done);
  void Rename(std::string_view session, std::string_view name, Done done);

 private:
  StatusOr<SessionSlot*> Check(std::string_view session, SessionVerb verb,
                               const StatusOr<std::optional<SessionName>>& name);
  void Change(SessionSlot& slot, SessionKind kind, std::optional<SessionName> name, Done done);
  // Its process hears of it too: what it does without a service depends on that.
  void Call(SessionSlot& slot, SessionKind kind, std::optional<SessionName> name);
  void OnRecorded(const SessionRecord& before, const Status& recorded, Done done);

  Loop& loop_;
  SessionTable& table_;
  WeakOwner<Naming> weak_{this};
};

}  // namespace capsem::service
