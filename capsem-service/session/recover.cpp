#include "session/recover.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "session/session_dir.h"
#include "supervise/leftovers.h"
#include "wire/run_dir.h"

namespace capsem::service {
namespace {

using Fate = RecoverVerdict::Fate;
using State = SessionRecord::State;

RecoverVerdict JudgeUnknown(const SessionFacts& facts) {
  if (facts.registry_knows_all || !facts.disk)
    return {Fate::kRemoved, "it was being made, or being deleted"};
  return {Fate::kFound, "the registry that knew it is lost; its disk is kept in its folder"};
}

RecoverVerdict JudgeMortal(const SessionFacts& facts) {
  // For its logs, as when it failed.
  const bool readable = facts.row->kind == SessionKind::kEphemeral && facts.folder;
  if (readable && facts.row->state == State::kFailed) return {Fate::kStays, facts.row->reason};
  return {Fate::kRemoved, "its machine ended with the service"};
}

RecoverVerdict JudgePersistent(const SessionFacts& facts) {
  if (facts.lives) return {Fate::kFailed, "a process of its last machine does not end"};
  if (facts.row->used && !facts.disk) return {Fate::kFailed, "its disk is gone"};
  switch (facts.row->state) {
    case State::kCreating:
    case State::kRunning: return {Fate::kStopped, "its machine ended with the service"};
    case State::kStopped:
    case State::kFailed: break;
  }
  return {Fate::kStays, facts.row->reason};
}

SessionFacts FactsOf(std::optional<SessionRecord> row, const std::string& dir) {
  SessionFacts facts;
  facts.row = std::move(row);
  struct stat found {};
  facts.folder = lstat(dir.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
  const std::string disk = dir + "/" + session_file::kDisk;
  facts.disk = lstat(disk.c_str(), &found) == 0 && S_ISREG(found.st_mode);
  return facts;
}

// What can be said of a session whose row is lost: that it has a disk.
SessionRecord FoundRecord(const SessionId& id) {
  SessionRecord record{.id = id};
  record.kind = SessionKind::kPersistent;
  record.image = "base";
  record.cpus = 1;
  record.memory_mib = 1024;
  record.used = true;
  record.created_unix_ms = Clock::WallMillis();
  return record;
}

void Tell(const SessionId& id, const RecoverVerdict& verdict) {
  const char* what = "a session stays as it was";
  switch (verdict.fate) {
    case Fate::kStays: return;
    case Fate::kStopped: what = "a session is found stopped"; break;
    case Fate::kFailed: what = "a session is found damaged"; break;
    case Fate::kFound: what = "a session that no record knows is kept"; break;
    case Fate::kRemoved: what = "what was left of a session is removed"; break;
  }
  log::Info(what, {{"session", id.text()}, {"reason", verdict.reason}});
}

// Files of a machine that is no more.
void SweepFolder(const std::string& dir) {
  for (const char* name : {session_file::kProcessSocket, session_file::kUnfinishedDisk})
    unlink((dir + "/" + name).c_str());
}

struct Outcome {
  std::vector<SessionRecord> kept;
  std::vector<SessionRecord> changed;  // of those kept: what the registry must be told
  std::vector<SessionId> removed;
};

void Carry(const RecoverVerdict& verdict, const SessionId& id, SessionFacts facts,
           const std::string& dir, Outcome& outcome) {
  if (verdict.fate == Fate::kRemoved) {
    const Status gone = RemoveSessionDir(dir);
    if (!gone.ok()) log::Error("what was left of a session stays", {{"reason", gone}});
    return outcome.removed.push_back(id);
  }
  SweepFolder(dir);
  SessionRecord record = facts.row ? *std::move(facts.row) : FoundRecord(id);
  if (verdict.fate != Fate::kStays) {
    record.state = verdict.fate == Fate::kStopped ? State::kStopped : State::kFailed;
    record.reason = verdict.reason;
    outcome.changed.push_back(record);
  }
  outcome.kept.push_back(std::move(record));
}

}  // namespace

RecoverVerdict JudgeSession(const SessionFacts& facts) {
  if (!facts.row) return JudgeUnknown(facts);
  return facts.row->kind == SessionKind::kPersistent ? JudgePersistent(facts) : JudgeMortal(facts);
}

StatusOr<std::vector<SessionRecord>> RecoverSessions(const std::string& sessions_dir,
                                                     Registry& registry) {
  const std::vector<std::string> in_use = EndLeftovers(sessions_dir);
  const bool knows_all = TRY(registry.Reconciled());
  std::map<SessionId, std::optional<SessionRecord>> sessions;
  for (const SessionId& id : SessionDirsIn(sessions_dir)) sessions[id] = std::nullopt;
  for (const SessionRecord& row : TRY(registry.Read())) sessions[row.id] = row;
  Outcome outcome;
  for (auto& [id, row] : sessions) {
    const std::string dir = sessions_dir + "/" + id.text();
    SessionFacts facts = FactsOf(std::move(row), dir);
    facts.registry_knows_all = knows_all;
    facts.lives = std::ranges::find(in_use, id.text()) != in_use.end();
    const RecoverVerdict verdict = JudgeSession(facts);
    Tell(id, verdict);
    Carry(verdict, id, std::move(facts), dir, outcome);
  }
  // What cannot be written now is found out again at the next start.
  const Status written = registry.Reconcile(outcome.changed, outcome.removed);
  if (!written.ok()) log::Error("what was recovered is not recorded", {{"reason", written}});
  std::ranges::sort(outcome.kept, {}, &SessionRecord::created_unix_ms);
  return std::move(outcome.kept);
}

}  // namespace capsem::service
