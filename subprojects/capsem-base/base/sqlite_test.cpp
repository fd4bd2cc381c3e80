#include "base/sqlite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::sqlite {
namespace {

constexpr std::string_view kPeople[] = {
    "CREATE TABLE people (name TEXT UNIQUE, age INTEGER, town TEXT)"};

Database OpenPeople(const std::string& path) {
  Database db = VALUE_OF(Database::Open(path));
  REQUIRE_OK(db.Migrate(kPeople));
  return db;
}

int64_t Count(Database& db) {
  Statement count = VALUE_OF(db.Prepare("SELECT count(*) FROM people"));
  REQUIRE(VALUE_OF(count.Step()));
  return count.Int(0);
}

int ModeOf(const std::string& path) {
  struct stat found {};
  REQUIRE(stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

}  // namespace

TEST_CASE("what is bound comes back: numbers, texts with quotes and NULs, and nothing") {
  TempDir dir;
  Database db = OpenPeople(dir / "db");
  const std::string odd("O'Hara\0; DROP TABLE people", 26);
  REQUIRE_OK(db.Run("INSERT INTO people VALUES (?, ?, ?)", odd, int64_t{1} << 40, std::nullopt));
  REQUIRE_OK(db.Run("INSERT INTO people VALUES (?, ?, ?)", "", uint32_t{7}, "Bonn"));
  Statement all = VALUE_OF(db.Prepare("SELECT name, age, town FROM people ORDER BY age DESC"));
  REQUIRE(VALUE_OF(all.Step()));
  REQUIRE(all.Text(0) == odd);
  REQUIRE(all.Int(1) == int64_t{1} << 40);
  REQUIRE(all.IsNull(2));
  REQUIRE(VALUE_OF(all.Step()));
  REQUIRE(!all.IsNull(0));
  REQUIRE(all.Text(0).empty());
  REQUIRE(all.Text(2) == "Bonn");
  REQUIRE(!VALUE_OF(all.Step()));
}

TEST_CASE("whoever looks into it, by whatever means, does not take the log away") {
  TempDir dir;
  Database db = OpenPeople(dir / "db");
  const std::string look =
      "/usr/bin/sqlite3 " + dir / "db" + " 'SELECT count(*) FROM people' >" + dir / "said";
  REQUIRE(system(look.c_str()) == 0);
  REQUIRE(std::filesystem::exists(dir / "db-wal"));
  // So that what is written after that is there for the next one.
  REQUIRE_OK(db.Run("INSERT INTO people VALUES ('Ada', 36, NULL)"));
  REQUIRE(system(look.c_str()) == 0);
  std::ifstream said(dir / "said");
  int count = 0;
  said >> count;
  REQUIRE(count == 1);
}

TEST_CASE("a database, its log and its index are for their owner only") {
  TempDir dir;
  const mode_t before = umask(0);
  Database db = OpenPeople(dir / "db");
  umask(before);
  for (const char* part : {"", "-wal", "-shm"}) REQUIRE(ModeOf(dir / "db" + part) == 0600);
}

TEST_CASE("a transaction that is not committed leaves nothing") {
  TempDir dir;
  Database db = OpenPeople(dir / "db");
  {
    const Transaction change = VALUE_OF(Transaction::Begin(db));
    REQUIRE_OK(db.Run("INSERT INTO people VALUES ('Ada', 36, NULL)"));
  }
  REQUIRE(Count(db) == 0);
  Transaction change = VALUE_OF(Transaction::Begin(db));
  REQUIRE_OK(db.Run("INSERT INTO people VALUES ('Ada', 36, NULL)"));
  REQUIRE_OK(change.Commit());
  REQUIRE(Count(db) == 1);
}

TEST_CASE("migrations run once each, in order, and a newer database is left alone") {
  TempDir dir;
  constexpr std::string_view kMore[] = {kPeople[0], "ALTER TABLE people ADD COLUMN email TEXT"};
  {
    Database db = OpenPeople(dir / "db");
    REQUIRE_OK(db.Run("INSERT INTO people VALUES ('Ada', 36, NULL)"));
    REQUIRE_OK(db.Migrate(kPeople));
    REQUIRE_OK(db.Migrate(kMore));
    REQUIRE_OK(db.Migrate(kMore));
    REQUIRE_OK(db.Run("UPDATE people SET email = 'a@b'"));
  }
  Database db = VALUE_OF(Database::Open(dir / "db"));
  const Status newer = db.Migrate(kPeople);
  REQUIRE_CODE(newer, kFailedPrecondition);
  REQUIRE(!Remedy(newer).empty());
  REQUIRE(Count(db) == 1);
}

TEST_CASE("a migration that fails leaves nothing of itself") {
  TempDir dir;
  Database db = OpenPeople(dir / "db");
  constexpr std::string_view kBroken[] = {kPeople[0], "CREATE TABLE a (b); CREATE TABLE a (b);"};
  REQUIRE(!db.Migrate(kBroken).ok());
  REQUIRE(!db.Run("SELECT * FROM a").ok());
  constexpr std::string_view kMended[] = {kPeople[0], "CREATE TABLE a (b)"};
  REQUIRE_OK(db.Migrate(kMended));
}

TEST_CASE("what two writers cannot both have is refused by name") {
  TempDir dir;
  Database db = OpenPeople(dir / "db");
  REQUIRE_OK(db.Run("INSERT INTO people VALUES ('Ada', 36, NULL)"));
  REQUIRE_CODE(db.Run("INSERT INTO people VALUES ('Ada', 36, NULL)"), kAlreadyExists);
}

TEST_CASE("what was committed outlives the process, whatever it was to survive") {
  TempDir dir;
  const Survive survive = GENERATE(Survive::kProcessDeath, Survive::kPowerLoss);
  OpenPeople(dir / "db");
  const pid_t child = fork();
  if (child == 0) {
    auto db = Database::Open(dir / "db");
    const bool done = db.ok() && db->SetSurvive(survive).ok() &&
                      db->Run("INSERT INTO people VALUES ('Ada', 36, NULL)").ok();
    if (!done) _exit(1);
    raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  Database db = VALUE_OF(Database::Open(dir / "db"));
  REQUIRE(Count(db) == 1);
}

TEST_CASE("what cannot be written is read, with its log, and nothing is written") {
  TempDir dir;
  const std::string path = dir / "100%?#db";
  const bool killed = GENERATE(true, false);
  const pid_t writer = fork();
  if (writer == 0) {
    auto db = Database::Open(path);
    const bool done = db.ok() && db->Migrate(kPeople).ok() &&
                      db->Run("INSERT INTO people VALUES ('Ada', 36, NULL)").ok();
    if (!killed) db = Internal("closed");
    if (killed && done) kill(getpid(), SIGKILL);
    _exit(done ? 0 : 1);
  }
  int ended = 0;
  REQUIRE(waitpid(writer, &ended, 0) == writer);
  REQUIRE((killed ? WIFSIGNALED(ended) : ended == 0));
  // Of which there is none beside a database that was closed.
  REQUIRE(std::filesystem::exists(path + "-wal") == killed);
  std::map<std::string, std::filesystem::file_time_type> before, after;
  const auto look = [&dir](auto& files) {
    for (const auto& file : std::filesystem::directory_iterator(dir.path()))
      files[file.path()] = file.last_write_time();
  };
  look(before);
  {
    Database db = VALUE_OF(Database::OpenToRead(path));
    REQUIRE(!db.writable());
    REQUIRE(Count(db) == 1);
    REQUIRE_OK(db.Migrate(kPeople));
    REQUIRE_CODE(db.Run("INSERT INTO people VALUES ('Bob', 1, NULL)"), kPermissionDenied);
  }
  look(after);
  REQUIRE(after == before);
  REQUIRE(VALUE_OF(Database::Open(path)).writable());
  REQUIRE(!Database::OpenToRead(dir / "none").ok());
}

TEST_CASE("a damaged database is told from a good one") {
  TempDir dir;
  {
    Database db = OpenPeople(dir / "db");
    for (int i = 0; i < 1000; ++i) {
      REQUIRE_OK(db.Run("INSERT INTO people VALUES (?, ?, 'Bonn')", std::to_string(i), int64_t{i}));
    }
  }
  REQUIRE_OK(Database::Open(dir / "db"));
  std::fstream file(dir / "db", std::ios::in | std::ios::out | std::ios::binary);
  SECTION("garbage from the start") { file.write("this is no database at all", 26); }
  SECTION("pages in the middle overwritten") {
    file.seekp(4096);
    file << std::string(16384, '\xa5');
  }
  SECTION("its end cut off") {
    file.close();
    std::filesystem::resize_file(dir / "db", 8192);
  }
  file.close();
  REQUIRE_CODE(Database::Open(dir / "db"), kDataLoss);
}

TEST_CASE("a database that was set aside keeps its name, its content and its log") {
  TempDir dir;
  Database old = OpenPeople(dir / "db");
  REQUIRE_OK(old.Run("INSERT INTO people VALUES ('Ada', 36, NULL)"));
  const std::string aside = VALUE_OF(SetAside(dir / "db", 1234));
  REQUIRE(aside == dir / "db.damaged-1234");
  REQUIRE(std::filesystem::exists(aside + "-wal"));
  Database fresh = OpenPeople(dir / "db");
  REQUIRE(Count(fresh) == 0);
  Database found = VALUE_OF(Database::Open(aside));
  REQUIRE(Count(found) == 1);
}

TEST_CASE("a full disk and a read-only folder are told as what they are") {
  TempDir dir;
  REQUIRE_CODE(Database::Open(dir / "no/such/folder/db"), kNotFound);
  Database db = OpenPeople(dir / "db");
  REQUIRE_OK(db.RunScript("PRAGMA max_page_count = 4"));
  const Status full = db.Run("INSERT INTO people VALUES (?, 1, NULL)", std::string(100000, 'x'));
  REQUIRE_CODE(full, kResourceExhausted);
  REQUIRE(Remedy(full).find("free some disk space") != std::string::npos);
}

}  // namespace capsem::sqlite
