#include "session/session_table.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"
#include "session/verb_rules.h"

namespace capsem::service {

using State = Session::State;

namespace {

// What frees a disk is not heard of; a try that fails costs nothing.
constexpr std::chrono::seconds kRecordAgain{2};

}  // namespace

SessionTable::SessionTable(Loop& loop, std::string folder, Registry& registry)
    : loop_(loop), folder_(std::move(folder)), registry_(registry), record_again_(loop) {}

Status SessionTable::CheckName(const std::optional<SessionName>& name, const SessionSlot* own) {
  if (!name) return OkStatus();
  // Once that session is gone, its id would find the other one.
  const auto as_id = SessionId::Parse(name->text());
  if (as_id.ok() && Find(*as_id) != nullptr) {
    return WithRemedy(AlreadyExists("{} is the id of another session", name->text()),
                      "choose another name");
  }
  SessionSlot* const holder = ByName(name->text());
  if (holder == nullptr || holder == own) return OkStatus();
  return WithRemedy(AlreadyExists("a session called {} exists", name->text()),
                    "choose another name, or `capsem delete` that one");
}

StatusOr<SessionSlot*> SessionTable::Add(SessionSpec spec, HostKind host, int64_t created_unix_ms) {
  TRY(CheckName(spec.name));
  SessionId id = SessionId::Generate();
  while (Find(id) != nullptr) id = SessionId::Generate();
  const std::string dir = folder_ + "/" + id.text();
  slots_.push_back(std::make_unique<SessionSlot>(
      loop_, Session(std::move(id), std::move(spec), host, created_unix_ms), dir));
  Tell(capsem::v1::SessionEvent::KIND_CHANGED, *slots_.back());
  return slots_.back().get();
}

SessionSlot& SessionTable::Restore(SessionRecord record) {
  const std::string dir = folder_ + "/" + record.id.text();
  slots_.push_back(std::make_unique<SessionSlot>(loop_, Session(std::move(record)), dir));
  slots_.back()->recorded = true;
  if (const Status& trouble = registry_.trouble(); !trouble.ok())
    OnRecorded(slots_.back()->session.id(), trouble);
  return *slots_.back();
}

SessionSlot* SessionTable::Find(const SessionId& id) {
  const auto found =
      std::ranges::find_if(slots_, [&](const auto& slot) { return slot->session.id() == id; });
  return found == slots_.end() ? nullptr : found->get();
}

SessionSlot* SessionTable::ByName(std::string_view name) {
  const auto found = std::ranges::find_if(slots_, [&](const auto& slot) {
    return slot->session.name() && slot->session.name()->text() == name;
  });
  return found == slots_.end() ? nullptr : found->get();
}

StatusOr<SessionSlot*> SessionTable::Find(std::string_view session) {
  constexpr const char* kRemedy = "see `capsem list` for ids and names";
  // An id is also a legal name; the id goes first, so that a name cannot stand in its way.
  const auto id = SessionId::Parse(session);
  if (SessionSlot* slot = id.ok() ? Find(*id) : nullptr) return slot;
  if (!SessionName::Parse(session).ok()) {
    return WithRemedy(InvalidArgument("\"{}\" can be neither the id nor the name of a session",
                                      session.substr(0, 80)),
                      kRemedy);
  }
  if (SessionSlot* slot = ByName(session)) return slot;
  return WithRemedy(NotFound("there is no session {}", session), kRemedy);
}

StatusOr<SessionSlot*> SessionTable::Live(std::string_view session) {
  SessionSlot* const slot = TRY(Find(session));
  TRY(CheckVerb(slot->session, SessionVerb::kExec));
  return slot;
}

std::vector<SessionSlot*> SessionTable::All() {
  std::vector<SessionSlot*> all;
  for (const auto& slot : slots_) all.push_back(slot.get());
  return all;
}

bool SessionTable::IsRunning(const Session& session) {
  return session.live() || session.state() == State::kStopping;
}

size_t SessionTable::running() const {
  return static_cast<size_t>(
      std::ranges::count_if(slots_, [](const auto& slot) { return IsRunning(slot->session); }));
}

uint64_t SessionTable::running_memory_mib() const {
  uint64_t mib = 0;
  for (const auto& slot : slots_)
    if (IsRunning(slot->session)) mib += slot->session.record().memory_mib;
  return mib;
}

void SessionTable::To(SessionSlot& slot, State state, std::string reason, Registry::Done recorded) {
  const Status changed = slot.session.To(state, std::move(reason));
  ENSURE(changed.ok());
  log::Info("session", {{"session", slot.session.id().text()},
                        {"state", NameOf(state)},
                        {"reason", slot.session.reason()}});
  if (state == State::kGone) {
    if (slot.recorded) Unrecord(slot, std::move(recorded));
    Tell(capsem::v1::SessionEvent::KIND_DELETED, slot);
    std::erase_if(slots_, [&slot](const auto& held) { return held.get() == &slot; });
    return;
  }
  // One that is stopping is recorded as it was: running.
  if (slot.recorded && state != State::kStopping) Record(slot, std::move(recorded));
  Tell(capsem::v1::SessionEvent::KIND_CHANGED, slot);
}

void SessionTable::Touch(SessionSlot& slot) { Tell(capsem::v1::SessionEvent::KIND_CHANGED, slot); }

void SessionTable::Call(SessionSlot& slot, SessionKind kind, std::optional<SessionName> name) {
  slot.session.set_kind(kind);
  slot.session.set_name(std::move(name));
  Touch(slot);
}

void SessionTable::Record(SessionSlot& slot, Registry::Done done) {
  slot.recorded = true;
  registry_.Put(slot.session.record(), [self = weak_.Get(), id = slot.session.id(),
                                        done = std::move(done)](const Status& recorded) mutable {
    if (self) self->OnRecorded(id, recorded);
    done(recorded);
  });
}

void SessionTable::OnRecorded(const SessionId& id, const Status& recorded) {
  if (recorded.ok()) {
    owed_.erase(id);
  } else {
    owed_.insert(id);
    record_again_.Start(kRecordAgain, [this] { RecordAgain(); });
  }
  unrecorded_ = owed_.empty() ? OkStatus() : recorded.ok() ? unrecorded_ : recorded;
}

void SessionTable::RecordAgain() {
  for (const SessionId& id : std::set<SessionId>(owed_)) {
    SessionSlot* const slot = Find(id);
    if (slot != nullptr && slot->recorded) {
      Record(*slot, [](const Status&) {});
    } else {
      OnRecorded(id, OkStatus());
    }
  }
}

void SessionTable::Unrecord(SessionSlot& slot, Registry::Done done) {
  slot.recorded = false;
  registry_.Remove(slot.session.id(), slot.session.kind(), std::move(done));
}

void SessionTable::LogFailure(const Status& recorded) {
  if (!recorded.ok()) log::Error("a session's change is not recorded", {{"reason", recorded}});
}

SessionTable::Ticket SessionTable::Observe(Observer observer) {
  observers_.emplace(next_ticket_, std::move(observer));
  return next_ticket_++;
}

void SessionTable::Forget(Ticket ticket) { observers_.erase(ticket); }

void SessionTable::Tell(Kind kind, const SessionSlot& slot) {
  const capsem::v1::Session session = slot.session.ToProto();
  for (auto& [ticket, observer] : observers_) observer(kind, session);
}

}  // namespace capsem::service
