#include "store/registry.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "store/registry_migrations.h"
#include "testing/open_registry.h"

namespace capsem::service {
namespace {

using Kind = SessionKind;
using State = SessionRecord::State;

SessionRecord MakeRecord(const std::string& name = {}) {
  SessionRecord record{.id = SessionId::Generate()};
  if (!name.empty()) record.name = VALUE_OF(SessionName::Parse(name));
  record.kind = name.empty() ? Kind::kEphemeral : Kind::kPersistent;
  record.state = State::kStopped;
  record.reason = "it powered itself off";
  record.image = "base";
  record.image_digest = "abc";
  record.cpus = 2;
  record.memory_mib = 512;
  record.disk_gib = 3;
  record.kvm = true;
  record.used = true;
  record.created_unix_ms = 1'700'000'000'000;
  record.env = {{"COLOR", "blue"}, {"EMPTY", ""}};
  record.secret = "0123456789abcdef";
  record.process = {4711, 123'456'789, "7c0ffee0-0000-4000-8000-000000000000"};
  return record;
}

struct Fixture {
  TempDir dir;
  TestLoop loop;
  const std::string path = dir / "registry.db";
  std::unique_ptr<Registry> registry = OpenRegistry(loop, dir);

  void Reopen() {
    registry = nullptr;
    registry = VALUE_OF(Registry::Open(loop, path));
  }
  Status Wait(const std::function<void(Registry::Done)>& call) {
    std::optional<Status> answer;
    call([&](const Status& status) { answer = status; });
    REQUIRE(!answer);
    REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }
  Status Put(const SessionRecord& record) {
    return Wait([&](Registry::Done done) { registry->Put(record, std::move(done)); });
  }
  Status Remove(const SessionRecord& record) {
    return Wait(
        [&](Registry::Done done) { registry->Remove(record.id, record.kind, std::move(done)); });
  }
  std::vector<SessionRecord> Read() { return VALUE_OF(registry->Read()); }
};

}  // namespace

TEST_CASE("a recorded session comes back as it was, with its variables") {
  Fixture f;
  const SessionRecord box = MakeRecord("box");
  REQUIRE_OK(f.Put(box));
  SessionRecord plain{.id = SessionId::Generate()};
  plain.created_unix_ms = box.created_unix_ms + 1;
  REQUIRE_OK(f.Put(plain));
  f.Reopen();
  REQUIRE(f.Read() == std::vector<SessionRecord>{box, plain});
}

TEST_CASE("a flush is answered after all that was given before it") {
  Fixture f;
  std::string order;
  const auto put = [&](const SessionRecord& record) {
    f.registry->Put(record, [&](const Status& written) { order += written.ok() ? "w" : "x"; });
  };
  const auto flush = [&] { f.registry->Flush([&] { order += "f"; }); };
  flush();
  REQUIRE(order.empty());
  put(MakeRecord("a"));
  put(MakeRecord("b"));
  flush();
  REQUIRE(f.loop.RunUntil([&] { return order.size() == 4; }));
  REQUIRE(order == "wwff");
  flush();
  REQUIRE(f.loop.RunUntil([&] { return order.size() == 5; }));
}

TEST_CASE("a second record of a session replaces the first, and forgetting takes all of it") {
  Fixture f;
  SessionRecord box = MakeRecord("box");
  REQUIRE_OK(f.Put(box));
  box.name = VALUE_OF(SessionName::Parse("crate"));
  box.state = State::kFailed;
  box.env = {{"COLOR", "red"}};
  REQUIRE_OK(f.Put(box));
  f.Reopen();
  REQUIRE(f.Read() == std::vector<SessionRecord>{box});
  REQUIRE_OK(f.Remove(box));
  REQUIRE_OK(f.Remove(box));
  f.Reopen();
  REQUIRE(f.Read().empty());
}

TEST_CASE("changes that are given at once are written in their order") {
  Fixture f;
  SessionRecord box = MakeRecord("box");
  const SessionRecord heir = MakeRecord("box");
  int answered = 0;
  const auto count = [&answered](const Status& status) {
    REQUIRE_OK(status);
    ++answered;
  };
  f.registry->Put(box, count);
  box.state = State::kRunning;
  f.registry->Put(box, count);
  f.registry->Remove(box.id, box.kind, count);
  f.registry->Put(heir, count);  // its name is free by then
  REQUIRE(f.loop.RunUntil([&] { return answered == 4; }));
  REQUIRE(f.Read() == std::vector<SessionRecord>{heir});
}

TEST_CASE("whoever was not told in time is told after the registry has gone") {
  Fixture f;
  bool answered = false;
  f.registry->Put(MakeRecord("box"), [&](const Status& status) {
    REQUIRE_OK(status);
    answered = true;
  });
  f.registry = nullptr;
  REQUIRE(f.loop.RunUntil([&] { return answered; }));
}

TEST_CASE("a registry is for its owner only") {
  Fixture f;
  struct stat found {};
  REQUIRE(stat(f.path.c_str(), &found) == 0);
  REQUIRE((found.st_mode & 07777) == 0600);
}

TEST_CASE("a damaged registry is set aside and kept, and a new one is begun") {
  Fixture f;
  REQUIRE_OK(f.Put(MakeRecord("box")));
  f.registry = nullptr;
  SECTION("no database") { std::ofstream(f.path) << "this is no registry, and never was one"; }
  SECTION("a row that no session could have") {
    auto db = VALUE_OF(sqlite::Database::Open(f.path));
    REQUIRE_OK(db.RunScript("UPDATE sessions SET name = '../x'"));
  }
  f.Reopen();
  REQUIRE(f.Read().empty());
  REQUIRE(!VALUE_OF(f.registry->Reconciled()));
  const std::vector<std::string> kept = Registry::SetAside(f.path);
  REQUIRE(kept.size() == 1);
  REQUIRE(kept[0].starts_with(f.path + ".damaged-"));
  REQUIRE(std::filesystem::file_size(kept[0]) > 0);
}

TEST_CASE("a registry that a newer Capsem wrote is left alone") {
  Fixture f;
  f.registry = nullptr;
  {
    auto db = VALUE_OF(sqlite::Database::Open(f.path));
    REQUIRE_OK(db.RunScript("PRAGMA user_version = 99"));
  }
  REQUIRE_CODE(Registry::Open(f.loop, f.path), kFailedPrecondition);
  REQUIRE(std::filesystem::exists(f.path));
}

TEST_CASE("a registry of each older format keeps its sessions") {
  const size_t format = GENERATE(1u, 2u, 3u);
  CAPTURE(format);
  const TempDir dir;
  TestLoop loop;
  const std::string path = dir / "registry.db";
  SessionRecord box = MakeRecord("box");
  // What that format has no column for: as it is of a machine that is not known, and of a disk of
  // the size that all had.
  box.disk_gib = 16;
  if (format < 3) box.process = {};
  if (format < 2) box.secret.clear();
  {
    auto old = VALUE_OF(sqlite::Database::Open(path));
    REQUIRE_OK(old.Migrate(std::span(kRegistryMigrations).first(format)));
    REQUIRE_OK(
        old.Run("INSERT INTO sessions (id, name, kind, state, reason, image, image_digest,"
                " cpus, memory_mib, accelerator, used, created_unix_ms) VALUES (?, 'box',"
                " 'persistent', 'stopped', ?, 'base', 'abc', 2, 512, 'kvm', 1, ?)",
                box.id.text(), box.reason, box.created_unix_ms));
    for (const auto& [key, value] : box.env)
      REQUIRE_OK(old.Run("INSERT INTO session_env VALUES (?, ?, ?)", box.id.text(), key, value));
    if (format >= 2) REQUIRE_OK(old.Run("UPDATE sessions SET secret = ?", box.secret));
    if (format >= 3) {
      REQUIRE_OK(old.Run("UPDATE sessions SET process_pid = ?, process_start = ?, process_boot = ?",
                         int64_t{box.process.pid}, static_cast<int64_t>(box.process.start),
                         box.process.boot));
    }
  }
  // Twice: what was migrated is not migrated again.
  for (int i = 0; i < 2; ++i) {
    const auto registry = VALUE_OF(Registry::Open(loop, path));
    REQUIRE(VALUE_OF(registry->Read()) == std::vector<SessionRecord>{box});
  }
}

TEST_CASE("what was reconciled is known for good") {
  Fixture f;
  const SessionRecord box = MakeRecord("box");
  const SessionRecord gone = MakeRecord("gone");
  REQUIRE_OK(f.Put(gone));
  REQUIRE(!VALUE_OF(f.registry->Reconciled()));
  REQUIRE_OK(f.registry->Reconcile({box}, {gone.id}));
  REQUIRE_OK(f.registry->Reconcile({}, {}));
  f.Reopen();
  REQUIRE(VALUE_OF(f.registry->Reconciled()));
  REQUIRE(f.Read() == std::vector<SessionRecord>{box});
}

// No file of this process grows, as on a disk that is full.
class NoRoom {
 public:
  NoRoom() {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit none{0, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoRoom() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_CASE("a registry that cannot be written is read, and is written when it can be") {
  Fixture f;
  const SessionRecord box = MakeRecord("box");
  REQUIRE_OK(f.registry->Reconcile({box}, {}));
  f.registry = nullptr;
  {
    const NoRoom full;
    f.registry = VALUE_OF(Registry::Open(f.loop, f.path));
    REQUIRE(!f.registry->trouble().ok());
    REQUIRE(f.Read() == std::vector<SessionRecord>{box});
    REQUIRE(VALUE_OF(f.registry->Reconciled()));
    REQUIRE(!f.registry->Reconcile({}, {box.id}).ok());
    REQUIRE(!f.Put(MakeRecord("crate")).ok());
    REQUIRE(!f.registry->trouble().ok());
  }
  const SessionRecord crate = MakeRecord("crate");
  REQUIRE_OK(f.Put(crate));
  REQUIRE_OK(f.registry->trouble());
  f.Reopen();
  REQUIRE(f.Read().size() == 2);
}

TEST_CASE("a registry that is not there yet cannot be read instead") {
  TempDir dir;
  TestLoop loop;
  const NoRoom full;
  REQUIRE(!Registry::Open(loop, dir / "registry.db").ok());
}

TEST_CASE("a registry that cannot be written says so to everybody who waits") {
  Fixture f;
  f.registry = nullptr;
  auto other = VALUE_OF(sqlite::Database::Open(f.path));
  REQUIRE_OK(other.RunScript("DROP TABLE session_env"));
  f.registry = VALUE_OF(Registry::Open(f.loop, f.path));
  REQUIRE(!f.Put(MakeRecord("box")).ok());
  REQUIRE(f.Read().empty());
}

}  // namespace capsem::service
