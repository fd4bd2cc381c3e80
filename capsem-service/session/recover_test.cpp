#include "session/recover.h"

#include <filesystem>
#include <fstream>

#include "base/process_id.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "session/session_dir.h"
#include "testing/open_registry.h"
#include "testing/sleeping_process.h"

namespace capsem::service {
namespace {

using Fate = RecoverVerdict::Fate;
using Kind = SessionKind;
using State = SessionRecord::State;

SessionRecord MakeRecord(Kind kind, State state, bool used = true) {
  SessionRecord record{.id = SessionId::Generate()};
  record.kind = kind;
  record.state = state;
  record.used = used;
  record.reason = "because";
  return record;
}

struct Fixture {
  TempDir dir;
  TestLoop loop;
  std::unique_ptr<Registry> registry = OpenRegistry(loop, dir);

  std::vector<SessionRecord> Recover() {
    std::filesystem::create_directory(dir / "sessions");
    std::vector<SessionRecord> records;
    for (const RecoveredSession& one : VALUE_OF(RecoverSessions(dir / "sessions", *registry))) {
      REQUIRE(one.process.valid() == (one.record.state == State::kRunning));
      records.push_back(one.record);
    }
    return records;
  }
  std::string FolderOf(const SessionRecord& record) { return dir / "sessions/" + record.id.text(); }
  void MakeFolder(const SessionRecord& record, bool disk) {
    std::filesystem::create_directory(dir / "sessions");
    REQUIRE_OK(MakeSessionDir(FolderOf(record)));
    if (disk) std::ofstream(FolderOf(record) + "/disk.img") << "disk";
  }
};

}  // namespace

TEST_CASE("each session is judged by its row, its folder and its processes") {
  constexpr Kind kE = Kind::kEphemeral, kP = Kind::kPersistent, kB = Kind::kBound;
  struct Case {
    const char* what;
    std::optional<SessionRecord> row;
    bool knows_all, folder, disk, lives;
    Fate fate;
    bool goes_on = false;
  };
  const std::vector<Case> cases = {
      {"ran", MakeRecord(kP, State::kRunning), true, true, true, false, Fate::kStopped},
      {"was starting", MakeRecord(kP, State::kCreating), true, true, true, false, Fate::kStopped},
      {"never had a disk", MakeRecord(kP, State::kCreating, false), true, true, false, false,
       Fate::kStopped},
      {"lost its new folder with the power", MakeRecord(kP, State::kCreating, false), true, false,
       false, false, Fate::kStopped},
      {"was stopped", MakeRecord(kP, State::kStopped), true, true, true, false, Fate::kStays},
      {"had failed", MakeRecord(kP, State::kFailed), true, true, true, false, Fate::kStays},
      {"its disk is gone", MakeRecord(kP, State::kStopped), true, true, false, false,
       Fate::kFailed},
      {"its folder is gone", MakeRecord(kP, State::kRunning), true, false, false, false,
       Fate::kFailed},
      {"QEMU hangs", MakeRecord(kP, State::kRunning), true, true, true, true, Fate::kFailed},
      {"ephemeral, ran", MakeRecord(kE, State::kRunning), true, true, true, false, Fate::kRemoved},
      {"ephemeral, had failed", MakeRecord(kE, State::kFailed), true, true, false, false,
       Fate::kStays},
      {"ephemeral, without logs", MakeRecord(kE, State::kFailed), true, false, false, false,
       Fate::kRemoved},
      {"bound, ran", MakeRecord(kB, State::kRunning), true, true, true, false, Fate::kRemoved},
      {"bound, had failed", MakeRecord(kB, State::kFailed), true, true, false, false,
       Fate::kRemoved},
      {"half made or half deleted", std::nullopt, true, true, true, false, Fate::kRemoved},
      {"its row is lost", std::nullopt, false, true, true, false, Fate::kFound},
      {"goes on", MakeRecord(kP, State::kRunning), true, true, true, false, Fate::kRuns, true},
      {"goes on, its disk unlinked", MakeRecord(kP, State::kRunning), true, true, false, false,
       Fate::kRuns, true},
      {"ephemeral, goes on", MakeRecord(kE, State::kRunning), true, true, true, false, Fate::kRuns,
       true},
      {"bound, goes on", MakeRecord(kB, State::kRunning), true, true, true, false, Fate::kRemoved,
       true},
      {"starts", MakeRecord(kP, State::kCreating), true, true, true, false, Fate::kStopped, true},
      {"ephemeral, starts", MakeRecord(kE, State::kCreating), true, true, true, false,
       Fate::kRemoved, true},
      {"stopped, and a process in its folder", MakeRecord(kP, State::kStopped), true, true, true,
       false, Fate::kStays, true},
      {"its row is lost, and its disk", std::nullopt, false, true, false, false, Fate::kRemoved},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const RecoverVerdict verdict = JudgeSession({.row = c.row,
                                                 .registry_knows_all = c.knows_all,
                                                 .folder = c.folder,
                                                 .disk = c.disk,
                                                 .lives = c.lives,
                                                 .goes_on = c.goes_on,
                                                 .same_boot = true,
                                                 .last_word = std::nullopt});
    REQUIRE(verdict.fate == c.fate);
    REQUIRE(!verdict.reason.empty());
  }
}

TEST_CASE("a machine that ended without a service says how, or is found killed") {
  struct Case {
    const char* what;
    bool same_boot;
    std::optional<LastWord> last_word;
    Fate fate;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {"it powered off", true, LastWord{"off", true}, Fate::kStopped, "off"},
      {"it panicked", true, LastWord{"panic", false}, Fate::kFailed, "panic"},
      {"it was killed", true, std::nullopt, Fate::kFailed,
       "its machine was killed while no service ran"},
      {"the host was", false, std::nullopt, Fate::kStopped, "its machine ended with the host"},
      {"it powered off, then the host", false, LastWord{"off", true}, Fate::kStopped, "off"},
      {"it restarted", true, LastWord{"again", true, true}, Fate::kStarts, "again"},
      {"it restarted, then the host", false, LastWord{"again", true, true}, Fate::kStopped,
       "again"},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    SessionRecord row = MakeRecord(Kind::kPersistent, State::kRunning);
    row.process = {4711, 1, "boot"};
    SessionFacts facts{.row = row,
                       .folder = true,
                       .disk = true,
                       .same_boot = c.same_boot,
                       .last_word = c.last_word};
    REQUIRE(JudgeSession(facts) == RecoverVerdict{c.fate, c.reason});
    facts.row->kind = Kind::kEphemeral;
    REQUIRE(JudgeSession(facts).fate == Fate::kRemoved);
  }
}

TEST_CASE("a capsem-process that is the one of its row goes on, and no other is signalled for it") {
  Fixture f;
  SessionRecord box = MakeRecord(Kind::kPersistent, State::kRunning);
  f.MakeFolder(box, true);
  std::ofstream(f.FolderOf(box) + "/process.sock") << "its socket";
  const SleepingProcess process(f.dir / "capsem-process", f.FolderOf(box));
  const SleepingProcess stranger(f.dir / "capsem-process", f.dir.path());
  box.process = VALUE_OF(IdentifyProcess(process.pid));
  Fate expected = Fate::kFailed;
  bool lives = false;
  SECTION("as recorded") {
    expected = Fate::kRuns;
    lives = true;
  }
  SECTION("another start") { ++box.process.start; }
  SECTION("another boot") {
    box.process.boot = "another";
    expected = Fate::kStopped;
  }
  SECTION("a process that is elsewhere") { box.process = VALUE_OF(IdentifyProcess(stranger.pid)); }
  REQUIRE_OK(f.registry->Reconcile({box}, {}));
  const auto sessions = f.Recover();
  REQUIRE(sessions.size() == 1);
  REQUIRE(sessions[0].state == (lives                        ? State::kRunning
                                : expected == Fate::kStopped ? State::kStopped
                                                             : State::kFailed));
  REQUIRE(process.lives() == lives);
  REQUIRE(stranger.lives());
  REQUIRE(std::filesystem::exists(f.FolderOf(box) + "/process.sock") == lives);
  if (lives) REQUIRE(sessions[0] == box);
}

TEST_CASE("persistent sessions come back with all that is known of them; the rest goes") {
  Fixture f;
  SessionRecord box = MakeRecord(Kind::kPersistent, State::kRunning);
  box.name = VALUE_OF(SessionName::Parse("box"));
  box.env = {{"COLOR", "blue"}};
  const SessionRecord ephemeral = MakeRecord(Kind::kEphemeral, State::kRunning);
  const SessionRecord half_made = MakeRecord(Kind::kEphemeral, State::kCreating);
  REQUIRE_OK(f.registry->Reconcile({box, ephemeral}, {}));
  for (const SessionRecord& record : {box, ephemeral, half_made}) f.MakeFolder(record, true);
  std::ofstream(f.FolderOf(box) + "/process.sock") << "stale";
  std::ofstream(f.FolderOf(box) + "/disk.img.new") << "unfinished";
  std::ofstream(f.FolderOf(box) + "/link.state.new-a1B2c3") << "unfinished";
  std::filesystem::create_directory(f.dir / "sessions/keep");
  const auto sessions = f.Recover();
  REQUIRE(sessions.size() == 1);
  box.state = State::kStopped;
  box.reason = sessions[0].reason;
  REQUIRE(sessions[0] == box);
  REQUIRE(std::filesystem::exists(f.FolderOf(box) + "/disk.img"));
  REQUIRE(!std::filesystem::exists(f.FolderOf(box) + "/process.sock"));
  REQUIRE(!std::filesystem::exists(f.FolderOf(box) + "/disk.img.new"));
  REQUIRE(!std::filesystem::exists(f.FolderOf(box) + "/link.state.new-a1B2c3"));
  REQUIRE(!std::filesystem::exists(f.FolderOf(ephemeral)));
  REQUIRE(!std::filesystem::exists(f.FolderOf(half_made)));
  REQUIRE(std::filesystem::exists(f.dir / "sessions/keep"));
  REQUIRE(VALUE_OF(f.registry->Read()) == sessions);
  REQUIRE(f.Recover() == sessions);
}

TEST_CASE("disks that a lost registry knew are kept, and from then on known") {
  Fixture f;
  const SessionRecord lost = MakeRecord(Kind::kPersistent, State::kRunning);
  f.MakeFolder(lost, true);
  const auto sessions = f.Recover();
  REQUIRE(sessions.size() == 1);
  REQUIRE(sessions[0].id == lost.id);
  REQUIRE(sessions[0].state == State::kFailed);
  REQUIRE(std::filesystem::exists(f.FolderOf(lost) + "/disk.img"));
  REQUIRE(f.Recover() == sessions);
  REQUIRE(f.Recover() == sessions);
}

TEST_CASE("a state folder that is new has nothing to recover") {
  Fixture f;
  REQUIRE(VALUE_OF(RecoverSessions("/nowhere/at/all", *f.registry)).empty());
}

}  // namespace capsem::service
