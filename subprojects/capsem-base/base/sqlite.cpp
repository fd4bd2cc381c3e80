#include "base/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "base/unique_fd.h"

namespace capsem::sqlite {
namespace {

constexpr std::chrono::milliseconds kBusyLimit{5000};

Status ErrorOf(sqlite3* database, int code, std::string_view what) {
  const std::string text = fmt::format("{}: {}", what, sqlite3_errmsg(database));
  // The system's own word where there is one: a full disk is no broken database.
  const int error = sqlite3_system_errno(database);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return WithRemedy(ResourceExhausted("{}", text), "free some disk space and try again");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return DataLoss("{}", text);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return WithRemedy(PermissionDenied("{}", text), "make the file and its folder writable");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return WithRemedy(Unavailable("{}", text), "end what else has it open, and try again");
    case SQLITE_CONSTRAINT: return AlreadyExists("{}", text);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR: return error != 0 ? ErrnoStatus(error, text) : Internal("{}", text);
    default: return Internal("{}", text);
  }
}

Status ErrorOf(sqlite3_stmt* statement, int code) {
  return ErrorOf(sqlite3_db_handle(statement), code, sqlite3_sql(statement));
}

// The log and its index take the file's own mode. It is closed again before SQLite opens it: a
// close drops every lock that this process has on the file, and whoever looked into the database
// then would, being the last to all appearances, remove the log from under us.
Status MakeFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  return file.valid() ? OkStatus() : FromErrno("open the database {}", path);
}

// What of a path means something in a URI is written as its number.
std::string UriOf(std::string_view path) {
  std::string uri = "file:";
  for (const char letter : path) {
    const bool special = letter == '%' || letter == '?' || letter == '#';
    uri += special ? fmt::format("%{:02x}", letter) : std::string(1, letter);
  }
  return uri;
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Status Statement::BindOne(int place, int64_t value) {
  const int code = sqlite3_bind_int64(statement_.get(), place, value);
  return code == SQLITE_OK ? OkStatus() : ErrorOf(statement_.get(), code);
}

Status Statement::BindOne(int place, std::string_view value) {
  // An empty view may have no address, which would be NULL.
  const char* const text = value.empty() ? "" : value.data();
  const int code = sqlite3_bind_text64(statement_.get(), place, text, value.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8);
  return code == SQLITE_OK ? OkStatus() : ErrorOf(statement_.get(), code);
}

Status Statement::BindOne(int place, const std::optional<std::string>& value) {
  if (value) return BindOne(place, std::string_view(*value));
  const int code = sqlite3_bind_null(statement_.get(), place);
  return code == SQLITE_OK ? OkStatus() : ErrorOf(statement_.get(), code);
}

StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return ErrorOf(statement_.get(), code);
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

StatusOr<Database> Database::Open(const std::string& path) {
  TRY(MakeFile(path));
  return OpenWith(path, path, SQLITE_OPEN_READWRITE,
                  "PRAGMA journal_mode = WAL;"
                  "PRAGMA synchronous = FULL;"
                  "PRAGMA foreign_keys = ON;"
                  "PRAGMA trusted_schema = OFF;"
                  "PRAGMA cell_size_check = ON;");
}

StatusOr<Database> Database::OpenToRead(const std::string& path) {
  struct stat log {};
  const bool has_log = stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0;
  // The index of a log is built in our own memory then, for beside it there may be no room. Without
  // a log SQLite would make one, unless nobody can change the file.
  return OpenWith(path, UriOf(path) + (has_log ? "?readonly_shm=1" : "?immutable=1"),
                  SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                  "PRAGMA trusted_schema = OFF;"
                  "PRAGMA cell_size_check = ON;");
}

StatusOr<Database> Database::OpenWith(const std::string& path, const std::string& name, int flags,
                                      const char* settings) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(
      name.c_str(), &opened,
      flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return ErrorOf(opened, code, fmt::format("open the database {}", path));
  sqlite3_busy_timeout(opened, static_cast<int>(kBusyLimit.count()));
  const Status usable = database.RunScript(settings);
  const Status whole = usable.ok() ? database.LookForDamage() : usable;
  if (!whole.ok()) return Annotate(whole, "{}", path);
  return database;
}

bool Database::writable() const { return sqlite3_db_readonly(database_.get(), "main") == 0; }

Status Database::LookForDamage() {
  Statement check = TRY(Prepare("PRAGMA quick_check(1)"));
  if (!TRY(check.Step())) return DataLoss("the database cannot be checked");
  const std::string verdict = check.Text(0);
  return verdict == "ok" ? OkStatus() : DataLoss("the database is damaged: {}", verdict);
}

Status Database::Migrate(std::span<const std::string_view> steps) {
  Statement asked = TRY(Prepare("PRAGMA user_version"));
  const int64_t seen = TRY(asked.Step()) ? asked.Int(0) : 0;
  if (seen > static_cast<int64_t>(steps.size())) {
    return WithRemedy(
        FailedPrecondition("the database has format {}; this program knows {}", seen, steps.size()),
        "start the Capsem that wrote it, or a newer one");
  }
  for (auto step = static_cast<size_t>(seen); step < steps.size(); ++step) {
    Transaction change = TRY(Transaction::Begin(*this));
    TRY(RunScript(steps[step]));
    TRY(RunScript(fmt::format("PRAGMA user_version = {}", step + 1)));
    TRY(change.Commit());
  }
  return OkStatus();
}

Status Database::SetSurvive(Survive survive) {
  // FULL syncs the log at each commit; NORMAL only before a checkpoint, and loses no more than the
  // newest commits to a power loss: never to the death of a process, and never their order.
  return RunScript(survive == Survive::kPowerLoss ? "PRAGMA synchronous = FULL"
                                                  : "PRAGMA synchronous = NORMAL");
}

StatusOr<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  if (code != SQLITE_OK) return ErrorOf(database_.get(), code, sql);
  return Statement(statement);
}

Status Database::RunScript(std::string_view sql) {
  const int code =
      sqlite3_exec(database_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? OkStatus() : ErrorOf(database_.get(), code, "the database");
}

StatusOr<Transaction> Transaction::Begin(Database& database) {
  // At once the only writer, so that nothing in it can end in a deadlock of two readers.
  TRY(database.RunScript("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // Fails when the error that brought us here has rolled back already.
  if (database_ != nullptr) database_->RunScript("ROLLBACK").IgnoreError();
}

Status Transaction::Commit() {
  TRY(database_->RunScript("COMMIT"));
  database_ = nullptr;
  return OkStatus();
}

StatusOr<std::string> SetAside(const std::string& path, int64_t now_unix_ms) {
  const std::string aside = fmt::format("{}{}{}", path, kSetAside, now_unix_ms);
  // The log first: left behind, it would be played into the new database.
  for (const char* part : {"-wal", "-shm", ""}) {
    const bool moved = rename((path + part).c_str(), (aside + part).c_str()) == 0;
    if (!moved && errno != ENOENT) return FromErrno("set the damaged database {} aside", path);
  }
  return aside;
}

}  // namespace capsem::sqlite
