#include "session/session_table.h"

#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

using State = Session::State;
using capsem::v1::SessionEvent;

struct Fixture {
  TestLoop loop;
  SessionTable table{loop, "/tmp/sessions"};

  StatusOr<SessionSlot*> Add(const std::string& name = {}) {
    capsem::v1::CreateSessionRequest request;
    request.set_name(name);
    return table.Add(VALUE_OF(CheckCreate(request, Emulation::kEmulated)), HostKind{}, 0);
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

TEST_CASE("a name that looks like an id does not hide that id's session") {
  Fixture f;
  SessionSlot* const first = VALUE_OF(f.Add());
  VALUE_OF(f.Add(first->session.id().text()));
  REQUIRE(VALUE_OF(f.table.Find(first->session.id().text())) == first);
}

TEST_CASE("only a session with a machine is live, and the others say why not") {
  Fixture f;
  SessionSlot* const box = VALUE_OF(f.Add("box"));
  REQUIRE_OK(f.table.Live("box"));
  REQUIRE(f.table.running() == 1);
  f.table.To(*box, State::kFailed, "the machine died: signal 9");
  const auto live = f.table.Live("box");
  REQUIRE_CODE(live, kFailedPrecondition);
  REQUIRE(Message(live.status()) == "session box is failed: the machine died: signal 9");
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

}  // namespace capsem::service
