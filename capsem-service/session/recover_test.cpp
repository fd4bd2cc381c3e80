#include "session/recover.h"

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "session/session_dir.h"
#include "testing/open_registry.h"

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
    return VALUE_OF(RecoverSessions(dir / "sessions", *registry));
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
      {"its row is lost, and its disk", std::nullopt, false, true, false, false, Fate::kRemoved},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const RecoverVerdict verdict = JudgeSession({.row = c.row,
                                                 .registry_knows_all = c.knows_all,
                                                 .folder = c.folder,
                                                 .disk = c.disk,
                                                 .lives = c.lives});
    REQUIRE(verdict.fate == c.fate);
    REQUIRE(!verdict.reason.empty());
  }
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
  std::filesystem::create_directory(f.dir / "sessions/keep");
  const auto sessions = f.Recover();
  REQUIRE(sessions.size() == 1);
  box.state = State::kStopped;
  box.reason = sessions[0].reason;
  REQUIRE(sessions[0] == box);
  REQUIRE(std::filesystem::exists(f.FolderOf(box) + "/disk.img"));
  REQUIRE(!std::filesystem::exists(f.FolderOf(box) + "/process.sock"));
  REQUIRE(!std::filesystem::exists(f.FolderOf(box) + "/disk.img.new"));
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
