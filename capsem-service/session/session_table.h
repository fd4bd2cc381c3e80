// All sessions there are, by id and by name, and who wants to hear of their changes. The only place
// that changes a session's state or name, and the one that has the registry record it. Owned by
// app; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/weak.h"
#include "capsem/v1/sessions.pb.h"
#include "session/session_slot.h"
#include "store/registry.h"

namespace capsem::service {

class SessionTable {
 public:
  using Kind = capsem::v1::SessionEvent::Kind;
  using Observer = absl::AnyInvocable<void(Kind, const capsem::v1::Session&)>;

  // `folder` holds the sessions' folders. The registry must outlive this.
  SessionTable(Loop& loop, std::string folder, Registry& registry);
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // AlreadyExists: a session other than `own` has this name.
  Status CheckName(const std::optional<SessionName>& name, const SessionSlot* own = nullptr);
  // A new one, creating; not recorded yet. AlreadyExists: the name.
  StatusOr<SessionSlot*> Add(SessionSpec spec, HostKind host, int64_t created_unix_ms);
  // One that the registry has: running, stopped or failed.
  SessionSlot& Restore(SessionRecord record);
  // By id or name. InvalidArgument: it can be neither. NotFound.
  StatusOr<SessionSlot*> Find(std::string_view session);
  SessionSlot* Find(const SessionId& id);
  // The same, with a machine that lives or is about to. FailedPrecondition: it has none, and why.
  StatusOr<SessionSlot*> Live(std::string_view session);
  // Oldest first.
  std::vector<SessionSlot*> All();
  const std::string& folder() const { return folder_; }
  // Those that count against the limit of running sessions.
  size_t running() const;
  // What those have of the host's memory, or will have when they use all of theirs.
  uint64_t running_memory_mib() const;

  // Tells the observers, and records what was recorded before; `recorded` hears how that went. A
  // session that is gone is forgotten: the slot is no more.
  void To(SessionSlot& slot, Session::State state, std::string reason = {},
          Registry::Done recorded = LogFailure);
  // Another name or another kind; told, but not recorded.
  void Call(SessionSlot& slot, SessionKind kind, std::optional<SessionName> name);
  // What stands in its record changed, its state did not.
  void Touch(SessionSlot& slot);

  // Has the registry record it as it is, from now on also when it changes. What it could not record
  // is tried again, as it is then, until it can.
  void Record(SessionSlot& slot, Registry::Done done);
  // Has the registry forget it. The session itself stays until it is gone.
  void Unrecord(SessionSlot& slot, Registry::Done done);
  // Why what stands in the registry is not all that is so; a full disk, say.
  const Status& unrecorded() const { return unrecorded_; }

  // Hears every change until Forget. May not be forgotten from within.
  using Ticket = uint64_t;
  Ticket Observe(Observer observer);
  void Forget(Ticket ticket);

 private:
  static bool IsRunning(const Session& session);
  static void LogFailure(const Status& recorded);
  void OnRecorded(const SessionId& id, const Status& recorded);
  void RecordAgain();
  void Tell(Kind kind, const SessionSlot& slot);
  SessionSlot* ByName(std::string_view name);

  Loop& loop_;
  const std::string folder_;
  Registry& registry_;
  std::vector<std::unique_ptr<SessionSlot>> slots_;  // oldest first; a few dozen at most
  std::map<Ticket, Observer> observers_;
  Ticket next_ticket_ = 1;
  std::set<SessionId> owed_;  // to the registry: it could not record their last change
  Status unrecorded_;
  Timer record_again_;
  WeakOwner<SessionTable> weak_{this};
};

}  // namespace capsem::service
