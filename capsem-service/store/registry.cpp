#include "store/registry.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "store/registry_migrations.h"

namespace capsem::service {
namespace {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Survive;
using sqlite::Transaction;

// In the order of the enumerators.
constexpr std::array<std::string_view, 3> kKinds = {"ephemeral", "persistent", "bound"};
constexpr std::array<std::string_view, 4> kStates = {"creating", "running", "stopped", "failed"};

template <typename Enum, size_t N>
StatusOr<Enum> Parse(const std::array<std::string_view, N>& texts, const std::string& text) {
  const auto found = std::ranges::find(texts, text);
  if (found == texts.end()) return DataLoss("the registry says \"{}\"", text);
  return static_cast<Enum>(found - texts.begin());
}

Status PutRecord(Database& database, const SessionRecord& record) {
  std::optional<std::string> name;
  if (record.name) name = record.name->text();
  TRY(database.Run(
      "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
      " ?15, ?16, ?17)"
      " ON CONFLICT (id) DO UPDATE SET name = ?2, kind = ?3, state = ?4, reason = ?5, image = ?6,"
      " image_digest = ?7, cpus = ?8, memory_mib = ?9, accelerator = ?10, used = ?11,"
      " created_unix_ms = ?12, secret = ?13, process_pid = ?14, process_start = ?15,"
      " process_boot = ?16, disk_gib = ?17",
      record.id.text(), name, kKinds[static_cast<size_t>(record.kind)],
      kStates[static_cast<size_t>(record.state)], record.reason, record.image, record.image_digest,
      record.cpus, record.memory_mib, record.kvm ? "kvm" : "tcg", record.used,
      record.created_unix_ms, record.secret, int64_t{record.process.pid},
      static_cast<int64_t>(record.process.start), record.process.boot, record.disk_gib));
  TRY(database.Run("DELETE FROM session_env WHERE session = ?", record.id.text()));
  for (const auto& [key, value] : record.env)
    TRY(database.Run("INSERT INTO session_env VALUES (?, ?, ?)", record.id.text(), key, value));
  return OkStatus();
}

Status RemoveRecord(Database& database, const SessionId& id) {
  return database.Run("DELETE FROM sessions WHERE id = ?", id.text());
}

Status ReadEnv(Database& database, SessionRecord& record) {
  Statement rows = TRY(database.Prepare("SELECT key, value FROM session_env WHERE session = ?"));
  TRY(rows.Bind(record.id.text()));
  while (TRY(rows.Step())) record.env[rows.Text(0)] = rows.Text(1);
  return OkStatus();
}

StatusOr<SessionRecord> RecordOf(Statement& row) {
  SessionRecord record{.id = TRY(SessionId::Parse(row.Text(0)))};
  if (!row.IsNull(1)) record.name = TRY(SessionName::Parse(row.Text(1)));
  record.kind = TRY(Parse<SessionKind>(kKinds, row.Text(2)));
  record.state = TRY(Parse<SessionRecord::State>(kStates, row.Text(3)));
  record.reason = row.Text(4);
  record.image = row.Text(5);
  record.image_digest = row.Text(6);
  record.cpus = static_cast<uint32_t>(row.Int(7));
  record.memory_mib = static_cast<uint32_t>(row.Int(8));
  record.kvm = row.Text(9) == "kvm";
  record.used = row.Int(10) != 0;
  record.created_unix_ms = row.Int(11);
  record.secret = row.Text(12);
  record.process.pid = static_cast<pid_t>(row.Int(13));
  record.process.start = static_cast<uint64_t>(row.Int(14));
  record.process.boot = row.Text(15);
  record.disk_gib = static_cast<uint32_t>(row.Int(16));
  return record;
}

StatusOr<std::vector<SessionRecord>> ReadRecords(Database& database) {
  std::vector<SessionRecord> records;
  Statement rows = TRY(database.Prepare(
      "SELECT id, name, kind, state, reason, image, image_digest, cpus, memory_mib, accelerator,"
      " used, created_unix_ms, secret, process_pid, process_start, process_boot, disk_gib"
      " FROM sessions "
      "ORDER BY created_unix_ms, id"));
  while (TRY(rows.Step())) {
    StatusOr<SessionRecord> record = RecordOf(rows);
    if (!record.ok()) return DataLoss("a session of the registry: {}", Message(record.status()));
    TRY(ReadEnv(database, *record));
    records.push_back(*std::move(record));
  }
  return records;
}

using Opener = StatusOr<Database> (*)(const std::string& path);

StatusOr<Database> OpenCurrent(const std::string& path, Opener open = Database::Open) {
  Database database = TRY(open(path));
  TRY(Annotate(database.Migrate(kRegistryMigrations), "{}", path));
  TRY(ReadRecords(database));
  return database;
}

}  // namespace

StatusOr<std::unique_ptr<Registry>> Registry::Open(Loop& loop, const std::string& path) {
  StatusOr<Database> database = OpenCurrent(path);
  if (database.status().code() == StatusCode::kDataLoss) {
    const std::string aside = TRY(sqlite::SetAside(path, Clock::WallMillis()));
    log::Error("the registry of sessions is damaged: it was set aside, and a new one is begun",
               {{"reason", database.status()}, {"kept", aside}});
    database = OpenCurrent(path);
  }
  if (database.ok() || database.status().code() == StatusCode::kFailedPrecondition) {
    return Make(loop, path, TRY(std::move(database)), OkStatus());
  }
  // Whose machines run is known nevertheless; they must not wait for room on the disk.
  auto to_read = OpenCurrent(path, Database::OpenToRead);
  if (!to_read.ok()) return database.status();
  log::Error("the registry of sessions cannot be written", {{"reason", database.status()}});
  return Make(loop, path, *std::move(to_read), database.status());
}

std::unique_ptr<Registry> Registry::Make(Loop& loop, const std::string& path, Database database,
                                         Status trouble) {
  return std::unique_ptr<Registry>(
      new Registry(loop, {path, std::move(database)}, std::move(trouble)));
}

std::vector<std::string> Registry::SetAside(const std::string& path) {
  const std::filesystem::path whole(path);
  const std::string prefix = whole.filename().string().append(sqlite::kSetAside);
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(whole.parent_path(), error)) {
    const std::string name = entry.path().filename();
    // The parts that go with one (-wal, -shm) end in a letter, it itself in its time.
    const bool is_one = name.starts_with(prefix) && name.back() >= '0' && name.back() <= '9';
    if (is_one) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

Registry::Registry(Loop& loop, Store store, Status trouble)
    : loop_(loop),
      store_(std::make_shared<Store>(std::move(store))),
      trouble_(std::move(trouble)) {}

StatusOr<std::vector<SessionRecord>> Registry::Read() { return ReadRecords(*store_->database); }

StatusOr<bool> Registry::Reconciled() {
  Statement row = TRY(store_->database->Prepare("SELECT 1 FROM reconciled"));
  return row.Step();
}

Status Registry::Reconcile(const std::vector<SessionRecord>& put,
                           const std::vector<SessionId>& removed) {
  TRY(trouble_);
  Database& database = *store_->database;
  TRY(database.SetSurvive(Survive::kPowerLoss));
  Transaction change = TRY(Transaction::Begin(database));
  for (const SessionId& id : removed) TRY(RemoveRecord(database, id));
  for (const SessionRecord& record : put) TRY(PutRecord(database, record));
  TRY(database.Run("INSERT OR IGNORE INTO reconciled VALUES (1)"));
  return change.Commit();
}

void Registry::Put(SessionRecord record, Done done) {
  const Survive survive =
      record.kind == SessionKind::kPersistent ? Survive::kPowerLoss : Survive::kProcessDeath;
  Add({std::move(record), survive, std::move(done)});
}

void Registry::Remove(SessionId id, SessionKind kind, Done done) {
  const Survive survive =
      kind == SessionKind::kPersistent ? Survive::kPowerLoss : Survive::kProcessDeath;
  Add({std::move(id), survive, std::move(done)});
}

void Registry::Add(Change change) {
  waiting_.push_back(std::move(change));
  if (!writing_) WriteNext();
}

Status Registry::Write(Store& store, const std::vector<Change>& changes) {
  if (!store.database || !store.database->writable()) {
    store.database.reset();
    store.database = TRY(OpenCurrent(store.path));
  }
  Database& database = *store.database;
  const bool power = std::ranges::any_of(
      changes, [](const Change& change) { return change.survive == Survive::kPowerLoss; });
  TRY(database.SetSurvive(power ? Survive::kPowerLoss : Survive::kProcessDeath));
  Transaction transaction = TRY(Transaction::Begin(database));
  for (const Change& change : changes) {
    const auto* record = std::get_if<SessionRecord>(&change.what);
    TRY(record != nullptr ? PutRecord(database, *record)
                          : RemoveRecord(database, std::get<SessionId>(change.what)));
  }
  return transaction.Commit();
}

void Registry::WriteNext() {
  // What travels to the pool thread and back.
  struct Batch {
    std::vector<Change> changes;
    Status written;
  };
  const auto batch = std::make_shared<Batch>(Batch{std::exchange(waiting_, {}), {}});
  writing_ = true;
  loop_.RunBlocking([batch, store = store_] { batch->written = Write(*store, batch->changes); },
                    [batch, self = weak_.Get()] {
                      for (Change& change : batch->changes) change.done(batch->written);
                      if (!self) return;
                      self->writing_ = false;
                      if (!self->trouble_.ok()) self->trouble_ = batch->written;
                      if (!self->waiting_.empty()) return self->WriteNext();
                      self->TellFlushed();
                    });
}

void Registry::Flush(absl::AnyInvocable<void()> done) {
  flushed_.push_back(std::move(done));
  if (writing_) return;
  loop_.Post([self = weak_.Get()] {
    if (self) self->TellFlushed();
  });
}

void Registry::TellFlushed() {
  if (writing_) return;  // a change came in between: at its end
  for (auto& done : std::exchange(flushed_, {})) done();
}

}  // namespace capsem::service
