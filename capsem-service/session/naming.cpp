#include "session/naming.h"

#include <utility>

namespace capsem::service {
namespace {

using Name = std::optional<SessionName>;

StatusOr<Name> ParseName(std::string_view name) { return TRY(SessionName::Parse(name)); }

}  // namespace

void Naming::Persist(std::string_view session, std::string_view name, Done done) {
  const StatusOr<Name> wanted = name.empty() ? StatusOr<Name>(std::nullopt) : ParseName(name);
  const auto slot = Check(session, SessionVerb::kPersist, wanted);
  if (slot.ok()) return Change(**slot, SessionKind::kPersistent, *wanted, std::move(done));
  loop_.Post([done = std::move(done), why = slot.status()]() mutable { done(why); });
}

void Naming::Rename(std::string_view session, std::string_view name, Done done) {
  const StatusOr<Name> wanted = ParseName(name);
  const auto slot = Check(session, SessionVerb::kRename, wanted);
  if (slot.ok()) return Change(**slot, (*slot)->session.kind(), *wanted, std::move(done));
  loop_.Post([done = std::move(done), why = slot.status()]() mutable { done(why); });
}

StatusOr<SessionSlot*> Naming::Check(std::string_view session, SessionVerb verb,
                                     const StatusOr<Name>& name) {
  SessionSlot* const slot = TRY(table_.Find(session));
  TRY(name.status());
  TRY(CheckVerb(slot->session, verb));
  TRY(table_.CheckName(*name, slot));
  return slot;
}

void Naming::Change(SessionSlot& slot, SessionKind kind, Name name, Done done) {
  const SessionRecord before = slot.session.record();
  Call(slot, kind, std::move(name));
  table_.Record(
      slot, [self = weak_.Get(), before, done = std::move(done)](const Status& recorded) mutable {
        if (self) self->OnRecorded(before, recorded, std::move(done));
      });
}

void Naming::Call(SessionSlot& slot, SessionKind kind, Name name) {
  table_.Call(slot, kind, std::move(name));
  slot.client->SetKeep(slot.session.persistent());
}

void Naming::OnRecorded(const SessionRecord& before, const Status& recorded, Done done) {
  SessionSlot* const slot = table_.Find(before.id);
  if (slot == nullptr) return done(NotFound("session {} was deleted meanwhile", before.id.text()));
  if (recorded.ok()) return done(slot->session.ToProto());
  // Unless somebody has taken the old name: then the new one stays, and is recorded with the next
  // change.
  if (table_.CheckName(before.name, slot).ok()) Call(*slot, before.kind, before.name);
  done(Annotate(recorded, "session {} is as before: the change is not recorded",
                slot->session.label()));
}

}  // namespace capsem::service
