#include "session/recover.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/process_id.h"
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
  return {Fate::kRemoved,
          facts.last_word ? facts.last_word->reason : "its machine ended with the service"};
}

// One whose machine ran, and does no more.
RecoverVerdict JudgeEnded(const SessionFacts& facts) {
  if (const auto& word = facts.last_word) {
    if (!word->clean) return {Fate::kFailed, word->reason};
    // With the host went the machine that it would have begun anew.
    return {word->restart && facts.same_boot ? Fate::kStarts : Fate::kStopped, word->reason};
  }
  if (facts.row->process.pid == 0) return {Fate::kStopped, "its machine ended with the service"};
  if (!facts.same_boot) return {Fate::kStopped, "its machine ended with the host"};
  return {Fate::kFailed, "its machine was killed while no service ran"};
}

RecoverVerdict JudgePersistent(const SessionFacts& facts) {
  if (facts.lives) return {Fate::kFailed, "a process of its last machine does not end"};
  if (facts.row->used && !facts.disk) return {Fate::kFailed, "its disk is gone"};
  switch (facts.row->state) {
    case State::kCreating:
      return {Fate::kStopped, "its machine was starting when the service ended"};
    case State::kRunning: return JudgeEnded(facts);
    case State::kStopped:
    case State::kFailed: break;
  }
  return {Fate::kStays, facts.row->reason};
}

// A bound session ends with its call, and that with the service; of one that was starting nobody
// knows how far it has come.
bool GoesOn(const SessionFacts& facts) {
  return facts.goes_on && facts.row->state == State::kRunning &&
         facts.row->kind != SessionKind::kBound;
}

// One session while it is looked at.
struct Found {
  SessionId id;
  std::string dir;
  SessionFacts facts;
  RecoverVerdict verdict;
  UniqueFd process;
};

Found LookAt(SessionId id, std::optional<SessionRecord> row, bool registry_knows_all,
             const std::string& sessions_dir) {
  Found found{std::move(id), {}, {}, {}, {}};
  found.dir = sessions_dir + "/" + found.id.text();
  SessionFacts& facts = found.facts;
  facts.registry_knows_all = registry_knows_all;
  struct stat info {};
  facts.folder = lstat(found.dir.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  const std::string disk = found.dir + "/" + session_file::kDisk;
  facts.disk = lstat(disk.c_str(), &info) == 0 && S_ISREG(info.st_mode);
  if (facts.disk) facts.disk_bytes = static_cast<uint64_t>(info.st_size);
  facts.last_word = ReadLastWord(found.dir);
  if (row) {
    facts.same_boot = row->process.boot == CurrentBootId();
    auto process = HoldProcess(row->process);
    facts.goes_on = process.ok() && IsProcessOf(row->process.pid, found.dir);
    if (facts.goes_on) found.process = *std::move(process);
  }
  facts.row = std::move(row);
  found.verdict = JudgeSession(facts);
  return found;
}

StatusOr<std::vector<Found>> LookAtAll(const std::string& sessions_dir, Registry& registry) {
  const bool knows_all = TRY(registry.Reconciled());
  std::map<SessionId, std::optional<SessionRecord>> sessions;
  for (const SessionId& id : SessionDirsIn(sessions_dir)) sessions[id] = std::nullopt;
  for (const SessionRecord& row : TRY(registry.Read())) sessions[row.id] = row;
  std::vector<Found> all;
  for (auto& [id, row] : sessions)
    all.push_back(LookAt(id, std::move(row), knows_all, sessions_dir));
  return all;
}

// All but those of the machines that go on.
void EndProcesses(const std::string& sessions_dir, std::vector<Found>& all) {
  std::set<pid_t> go_on;
  for (const Found& found : all)
    if (found.verdict.fate == Fate::kRuns) go_on.insert(found.facts.row->process.pid);
  const std::vector<std::string> in_use = EndLeftovers(sessions_dir, go_on);
  for (Found& found : all) {
    found.facts.lives = std::ranges::find(in_use, found.id.text()) != in_use.end();
    if (found.facts.lives) found.verdict = JudgeSession(found.facts);
  }
}

// What can be said of a session whose row is lost: that it has a disk.
SessionRecord FoundRecord(const SessionId& id, uint64_t disk_bytes) {
  SessionRecord record{.id = id};
  record.kind = SessionKind::kPersistent;
  record.image = "base";
  record.cpus = 1;
  record.memory_mib = 1024;
  record.disk_gib = static_cast<uint32_t>(disk_bytes >> 30);
  record.used = true;
  record.created_unix_ms = Clock::WallMillis();
  return record;
}

void Tell(const SessionId& id, const RecoverVerdict& verdict) {
  const char* what = "a session stays as it was";
  switch (verdict.fate) {
    case Fate::kStays:
    case Fate::kRuns: return;
    case Fate::kStopped: what = "a session is found stopped"; break;
    case Fate::kStarts: what = "a guest has restarted itself: its session is started"; break;
    case Fate::kFailed: what = "a session is found damaged"; break;
    case Fate::kFound: what = "a session that no record knows is kept"; break;
    case Fate::kRemoved: what = "what was left of a session is removed"; break;
  }
  log::Info(what, {{"session", id.text()}, {"reason", verdict.reason}});
}

struct Outcome {
  std::vector<RecoveredSession> kept;
  std::vector<SessionRecord> changed;  // of those kept: what the registry must be told
  std::vector<SessionId> removed;
};

void Carry(Found found, Outcome& outcome) {
  const auto& [fate, reason] = found.verdict;
  if (fate == Fate::kRemoved) {
    const Status gone = RemoveSessionDir(found.dir);
    if (!gone.ok()) log::Error("what was left of a session stays", {{"reason", gone}});
    return outcome.removed.push_back(found.id);
  }
  auto& row = found.facts.row;
  SessionRecord record = row ? *std::move(row) : FoundRecord(found.id, found.facts.disk_bytes);
  if (fate == Fate::kRuns)
    return outcome.kept.push_back({std::move(record), std::move(found.process), false});
  SweepSessionDir(found.dir);
  if (fate != Fate::kStays) {
    const bool stopped = fate == Fate::kStopped || fate == Fate::kStarts;
    record.state = stopped ? State::kStopped : State::kFailed;
    record.reason = reason;
    record.process = {};
    outcome.changed.push_back(record);
  }
  outcome.kept.push_back({std::move(record), {}, fate == Fate::kStarts});
}

}  // namespace

RecoverVerdict JudgeSession(const SessionFacts& facts) {
  if (!facts.row) return JudgeUnknown(facts);
  if (GoesOn(facts)) return {Fate::kRuns, "its machine has outlived the service"};
  return facts.row->kind == SessionKind::kPersistent ? JudgePersistent(facts) : JudgeMortal(facts);
}

StatusOr<std::vector<RecoveredSession>> RecoverSessions(const std::string& sessions_dir,
                                                        Registry& registry) {
  std::vector<Found> all = TRY(LookAtAll(sessions_dir, registry));
  EndProcesses(sessions_dir, all);
  Outcome outcome;
  for (Found& found : all) {
    Tell(found.id, found.verdict);
    Carry(std::move(found), outcome);
  }
  // What cannot be written now is found out again at the next start.
  const Status written = registry.Reconcile(outcome.changed, outcome.removed);
  if (!written.ok()) log::Error("what was recovered is not recorded", {{"reason", written}});
  std::ranges::sort(outcome.kept, {},
                    [](const RecoveredSession& one) { return one.record.created_unix_ms; });
  return std::move(outcome.kept);
}

}  // namespace capsem::service
