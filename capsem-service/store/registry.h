// The sessions that outlive the service, in SQLite (schema.sql). Owned by app; loop thread.
//
// Changes are written in the order in which they are given, by one pool thread at a time, and are
// answered on the loop; those that come while others are being written go together in the next
// transaction. When a change is answered it survives the death of this process, and the loss of
// power too when the session is persistent: an ephemeral one does not outlive its machine, so it
// does not wait for the disk.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/loop.h"
#include "base/sqlite.h"
#include "base/status.h"
#include "base/weak.h"
#include "store/session_record.h"

namespace capsem::service {

class Registry {
 public:
  using Done = absl::AnyInvocable<void(Status)>;

  // Blocking, before the loop runs. A damaged registry, or one that says what no session could be,
  // is set aside, which is logged with where it lies, and a new one is made. One that can be read
  // and not be written, for the disk is full or read-only, is read: trouble(). FailedPrecondition:
  // a newer Capsem has written it.
  static StatusOr<std::unique_ptr<Registry>> Open(Loop& loop, const std::string& path);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Why it cannot be written, since it was opened. Each change that is given tries again.
  const Status& trouble() const { return trouble_; }

  // The damaged registries that were set aside beside `path` and still lie there.
  static std::vector<std::string> SetAside(const std::string& path);

  // Blocking, before any change is given. Oldest first.
  StatusOr<std::vector<SessionRecord>> Read();
  // False: it is new, and has never been compared with the folders of sessions.
  StatusOr<bool> Reconciled();
  // Blocking: all of it or nothing; Reconciled from then on.
  Status Reconcile(const std::vector<SessionRecord>& put, const std::vector<SessionId>& removed);

  // Records a session, new or changed.
  void Put(SessionRecord record, Done done);
  // Forgets it. Nothing to forget is fine.
  void Remove(SessionId id, SessionKind kind, Done done);
  // Answers when every change that was given is written, or could not be.
  void Flush(absl::AnyInvocable<void()> done);

 private:
  struct Change {
    std::variant<SessionRecord, SessionId> what;  // an id: forget it
    sqlite::Survive survive;
    Done done;
  };

  struct Store {
    std::string path;
    std::optional<sqlite::Database> database;  // nothing: it could be read, and not be written yet
  };

  Registry(Loop& loop, Store store, Status trouble);
  static std::unique_ptr<Registry> Make(Loop& loop, const std::string& path,
                                        sqlite::Database database, Status trouble);
  static Status Write(Store& store, const std::vector<Change>& changes);
  void Add(Change change);
  void WriteNext();
  void TellFlushed();

  Loop& loop_;
  // Shared with the pool thread that writes: nobody else touches it meanwhile.
  const std::shared_ptr<Store> store_;
  Status trouble_;
  std::vector<Change> waiting_;
  bool writing_ = false;
  std::vector<absl::AnyInvocable<void()>> flushed_;
  WeakOwner<Registry> weak_{this};
};

}  // namespace capsem::service
