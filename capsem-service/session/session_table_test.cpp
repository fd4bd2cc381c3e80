#include "session/session_table.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "testing/open_registry.h"

namespace capsem::service {
namespace {

using State = Session::State;
using capsem::v1::SessionEvent;

struct Fixture {
  TempDir dir;
  TestLoop loop;
  std::unique_ptr<Registry> registry = OpenRegistry(loop, dir);
  SessionTable table{loop, "/tmp/sessions", *registry};

  StatusOr<SessionSlot*> Add(const std::string& name = {}) {
    capsem::v1::CreateSessionRequest request;
    request.set_name(name);
    return table.Add(VALUE_OF(CheckCreate(request, Emulation::kEmulated, Settings())), HostKind{},
                     0);
  }
};

}  // namespace

TEST_CASE("a session is found by its id and by its name") {
  Fixture f;
  SessionSlot* const box = VALUE_OF(f.Add("box"));
  SessionSlot* const other = VALUE_OF(f.Add());
  REQUIRE(VALUE_OF(f.table.Find("box")) == box);
  REQUIRE(VALUE_OF(f.table.Find(box->session.id().text())) == box);
  REQUIRE(VALUE_OF(f.table.Find(other->session.id().text())) == other);
  REQUIRE(f.table.All() == std::vector<SessionSlot*>{box, other});
}

TEST_CASE("what is no session says so") {
  Fixture f;
  REQUIRE_CODE(f.table.Find("nobody"), kNotFound);
  REQUIRE_CODE(f.table.Find("aaaaaaaaaaaa"), kNotFound);
  for (const char* bad : {"", "../x", "a b", "caf\xc3\xa9"}) {
    const auto found = f.table.Find(std::string_view(bad));
    REQUIRE_CODE(found, kInvalidArgument);
    REQUIRE(!Remedy(found.status()).empty());
  }
}

TEST_CASE("a name is taken until its session is gone") {
  Fixture f;
  SessionSlot* const box = VALUE_OF(f.Add("box"));
  REQUIRE_CODE(f.Add("box"), kAlreadyExists);
  f.table.To(*box, State::kGone);
  REQUIRE_OK(f.Add("box"));
}

TEST_CASE("a session's id is nobody's name: a delete said twice must not find another session") {
  Fixture f;
  SessionSlot* const first = VALUE_OF(f.Add());
  REQUIRE_CODE(f.Add(first->session.id().text()), kAlreadyExists);
  REQUIRE_OK(f.Add("abcdefghijkl"));
}

TEST_CASE("only a session with a machine is live, and the others say why not") {
  Fixture f;
  SessionSlot* const box = VALUE_OF(f.Add("box"));
  REQUIRE_OK(f.table.Live("box"));
  REQUIRE(f.table.running() == 1);
  f.table.To(*box, State::kFailed, "the machine died: signal 9");
  const auto live = f.table.Live("box");
  REQUIRE_CODE(live, kFailedPrecondition);
  REQUIRE(Message(live.status()) ==
          "session box cannot run commands: it has failed (the machine died: signal 9)");
  REQUIRE(f.table.running() == 0);
}

TEST_CASE("observers hear each change until they are forgotten") {
  Fixture f;
  std::vector<std::string> heard;
  const auto ticket = f.table.Observe([&](SessionTable::Kind kind, const capsem::v1::Session& s) {
    heard.push_back(SessionEvent::Kind_Name(kind) + " " + capsem::v1::SessionState_Name(s.state()));
  });
  SessionSlot* const slot = VALUE_OF(f.Add());
  f.table.To(*slot, State::kRunning);
  f.table.To(*slot, State::kStopping);
  f.table.To(*slot, State::kGone);
  f.table.Forget(ticket);
  VALUE_OF(f.Add());
  REQUIRE(heard == std::vector<std::string>{
                       "KIND_CHANGED SESSION_STATE_CREATING", "KIND_CHANGED SESSION_STATE_RUNNING",
                       "KIND_CHANGED SESSION_STATE_RUNNING", "KIND_DELETED SESSION_STATE_STOPPED"});
}

TEST_CASE("a session is recorded when that was asked for, and from then on at each change") {
  Fixture f;
  SessionSlot* const slot = VALUE_OF(f.Add("box"));
  f.table.To(*slot, State::kRunning);
  REQUIRE(VALUE_OF(f.registry->Read()).empty());
  int written = 0;
  const auto count = [&](const Status& status) {
    REQUIRE_OK(status);
    ++written;
  };
  f.table.Record(*slot, count);
  f.table.To(*slot, State::kStopping);
  f.table.To(*slot, State::kStopped, "it powered itself off", count);
  REQUIRE(f.loop.RunUntil([&] { return written == 2; }));
  const auto records = VALUE_OF(f.registry->Read());
  REQUIRE(records.size() == 1);
  REQUIRE(records[0] == slot->session.record());
  REQUIRE(records[0].state == SessionRecord::State::kStopped);
  f.table.To(*slot, State::kStopping);
  f.table.To(*slot, State::kGone, {}, count);
  REQUIRE(f.loop.RunUntil([&] { return written == 3; }));
  REQUIRE(VALUE_OF(f.registry->Read()).empty());
}

TEST_CASE("what could not be recorded is recorded later, as it is then") {
  Fixture f;
  SessionSlot* const slot = VALUE_OF(f.Add("box"));
  SessionSlot* const gone = VALUE_OF(f.Add("gone"));
  const auto say = [&](const char* sql) {
    auto other = VALUE_OF(sqlite::Database::Open(f.dir / "registry.db"));
    REQUIRE_OK(other.RunScript(sql));
  };
  say("ALTER TABLE session_env RENAME TO elsewhere");
  int failed = 0;
  for (SessionSlot* one : {slot, gone})
    f.table.Record(*one, [&](const Status& recorded) { failed += recorded.ok() ? 0 : 1; });
  REQUIRE(f.loop.RunUntil([&] { return failed == 2; }));
  REQUIRE(!f.table.unrecorded().ok());
  f.table.To(*slot, State::kRunning);
  f.table.To(*gone, State::kStopping);
  f.table.To(*gone, State::kGone);
  say("ALTER TABLE elsewhere RENAME TO session_env");
  REQUIRE(f.loop.RunUntil([&] { return f.table.unrecorded().ok(); }));
  const auto records = VALUE_OF(f.registry->Read());
  REQUIRE(records.size() == 1);
  REQUIRE(records[0] == slot->session.record());
  REQUIRE(records[0].state == SessionRecord::State::kRunning);
}

TEST_CASE("a session of before is found by its id and its name") {
  Fixture f;
  SessionRecord record{.id = VALUE_OF(SessionId::Parse("abcdefghijkl"))};
  record.name = VALUE_OF(SessionName::Parse("box"));
  record.kind = SessionKind::kPersistent;
  record.state = SessionRecord::State::kFailed;
  record.reason = "its disk is gone";
  f.table.Restore(record);
  SessionSlot* const slot = VALUE_OF(f.table.Find("box"));
  REQUIRE(VALUE_OF(f.table.Find("abcdefghijkl")) == slot);
  REQUIRE(slot->session.state() == State::kFailed);
  REQUIRE(slot->session.reason() == "its disk is gone");
  REQUIRE(slot->recorded);
}

}  // namespace capsem::service
