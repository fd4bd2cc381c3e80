// SQLite as values and errors: a connection, a statement, a transaction, numbered migrations. The
// only file that knows sqlite3.h.
//
// Blocking: one thread at a time uses a connection; whoever owns it keeps it off the loop. Texts
// are bound, never pasted into SQL.
//
//   auto db = TRY(sqlite::Database::Open(path));
//   TRY(db.Migrate(kMigrations));
//   auto change = TRY(sqlite::Transaction::Begin(db));
//   TRY(db.Run("DELETE FROM sessions WHERE id = ?", id));
//   TRY(change.Commit());
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace capsem::sqlite {

class Statement {
 public:
  // The parameters in their order.
  template <typename... Values>
  Status Bind(const Values&... values) {
    int place = 0;
    Status status;
    ((status = status.ok() ? BindOne(++place, values) : status), ...);
    return status;
  }
  // True: there is a row to read. False: that was the last one.
  StatusOr<bool> Step();
  // The columns of the row, from 0. NULL is 0, or empty.
  int64_t Int(int column) const;
  std::string Text(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Status BindOne(int place, int64_t value);
  Status BindOne(int place, std::string_view value);
  Status BindOne(int place, const std::optional<std::string>& value);
  Status BindOne(int place, const std::string& value) {
    return BindOne(place, std::string_view(value));
  }
  Status BindOne(int place, const char* value) { return BindOne(place, std::string_view(value)); }
  Status BindOne(int place, uint32_t value) { return BindOne(place, int64_t{value}); }
  Status BindOne(int place, bool value) { return BindOne(place, int64_t{value}); }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// What a commit must survive when it has been acknowledged.
enum class Survive { kProcessDeath, kPowerLoss };

class Database {
 public:
  // Makes it at 0600 when there is none. Write-ahead log; whoever finds it locked waits up to five
  // seconds. DataLoss: what lies there is no database, or a damaged one: all of it was looked at.
  static StatusOr<Database> Open(const std::string& path);
  // What cannot be opened for writing, because the disk is full or read-only: all that was
  // committed, with its log, and nothing is written. For whoever is the only writer.
  static StatusOr<Database> OpenToRead(const std::string& path);

  bool writable() const;
  // Runs `steps` from the first that this database has not seen, each in a transaction of its own
  // that counts it in user_version. FailedPrecondition: it has seen more than there are.
  Status Migrate(std::span<const std::string_view> steps);
  // Of the commits from now on. Not within a transaction.
  Status SetSurvive(Survive survive);
  StatusOr<Statement> Prepare(std::string_view sql);
  // One statement to its end.
  template <typename... Values>
  Status Run(std::string_view sql, const Values&... values) {
    Statement statement = TRY(Prepare(sql));
    TRY(statement.Bind(values...));
    while (TRY(statement.Step())) continue;
    return OkStatus();
  }
  // Any number of statements, without parameters.
  Status RunScript(std::string_view sql);

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}
  static StatusOr<Database> OpenWith(const std::string& path, const std::string& name, int flags,
                                     const char* settings);
  Status LookForDamage();

  std::unique_ptr<sqlite3, Close> database_;
};

// Rolls back unless it was committed.
class Transaction {
 public:
  static StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null: over
};

// Renames a database with its log, so that a new one can be made and nothing of the old is lost.
// Returns where it lies now: beside the old place, with kSetAside and the time in its name.
inline constexpr std::string_view kSetAside = ".damaged-";
StatusOr<std::string> SetAside(const std::string& path, int64_t now_unix_ms);

}  // namespace capsem::sqlite
