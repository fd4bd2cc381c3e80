#include "session/session.h"

#include <set>

#include "base/testing/status_matchers.h"

namespace capsem::service {
namespace {

using State = Session::State;
constexpr State kAll[] = {State::kCreating, State::kRunning, State::kStopping,
                          State::kStopped,  State::kFailed,  State::kGone};

Session MakeSession(const std::string& name = {}) {
  capsem::v1::CreateSessionRequest request;
  request.set_name(name);
  return Session(SessionId::Generate(),
                 VALUE_OF(CheckCreate(request, Emulation::kEmulated, Settings())), HostKind{},
                 1234);
}

// A session that was led to `state` along the drawing.
Session In(State state) {
  Session session = MakeSession();
  if (state == State::kRunning) REQUIRE_OK(session.To(State::kRunning));
  if (state == State::kFailed) REQUIRE_OK(session.To(State::kFailed));
  if (state == State::kStopping || state == State::kStopped)
    REQUIRE_OK(session.To(State::kStopping));
  if (state == State::kStopped) REQUIRE_OK(session.To(State::kStopped));
  if (state == State::kGone) REQUIRE_OK(session.To(State::kGone));
  return session;
}

}  // namespace

TEST_CASE("a session takes the arrows of its drawing and no other") {
  const std::set<std::pair<State, State>> arrows = {
      {State::kCreating, State::kRunning},  {State::kCreating, State::kFailed},
      {State::kCreating, State::kStopping}, {State::kCreating, State::kGone},
      {State::kRunning, State::kFailed},    {State::kRunning, State::kStopping},
      {State::kFailed, State::kStopping},   {State::kStopped, State::kStopping},
      {State::kStopping, State::kStopped},  {State::kStopping, State::kGone},
      {State::kStopped, State::kCreating},  {State::kFailed, State::kCreating},
      {State::kStopping, State::kFailed},
  };
  for (const State from : kAll) {
    for (const State to : kAll) {
      Session session = In(from);
      const Status status = session.To(to, "because");
      INFO(NameOf(from) << " to " << NameOf(to));
      REQUIRE(status.ok() == arrows.contains({from, to}));
      REQUIRE(session.state() == (status.ok() ? to : from));
      if (!status.ok()) REQUIRE_CODE(status, kFailedPrecondition);
    }
  }
}

TEST_CASE("a refused change says what the session is") {
  Session session = In(State::kStopped);
  const Status status = session.To(State::kRunning);
  REQUIRE(Message(status) ==
          "session " + session.id().text() + " is stopped: it cannot become running");
}

TEST_CASE("the API sees what a session is and why") {
  Session session = MakeSession("box");
  session.set_pids(12, 13);
  session.set_image_digest("abc");
  REQUIRE_OK(session.To(State::kFailed, "the machine died: signal 9"));
  const capsem::v1::Session proto = session.ToProto();
  REQUIRE(proto.id() == session.id().text());
  REQUIRE(proto.name() == "box");
  REQUIRE(proto.state() == capsem::v1::SESSION_STATE_FAILED);
  REQUIRE(proto.reason() == "the machine died: signal 9");
  REQUIRE(proto.persistent());
  REQUIRE(proto.created_unix_ms() == 1234);
  REQUIRE(proto.process_pid() == 12);
  REQUIRE(proto.machine_pid() == 13);
  REQUIRE(proto.accelerator() == "tcg");
  REQUIRE(proto.isolation() == capsem::v1::ISOLATION_EMULATED);
  REQUIRE(proto.image_digest() == "abc");
}

TEST_CASE("a session is recorded as it is; one that is stopping, as running") {
  Session session = MakeSession("box");
  using Recorded = SessionRecord::State;
  REQUIRE(session.record().state == Recorded::kCreating);
  REQUIRE(!session.record().used);
  REQUIRE_OK(session.To(State::kRunning));
  REQUIRE(session.record().state == Recorded::kRunning);
  REQUIRE(session.record().used);
  session.set_process({4711, 1, "boot"});
  REQUIRE_OK(session.To(State::kStopping));
  REQUIRE(session.record().state == Recorded::kRunning);
  REQUIRE(session.record().process.pid == 4711);
  REQUIRE_OK(session.To(State::kStopped, "it powered itself off"));
  REQUIRE(session.record().state == Recorded::kStopped);
  REQUIRE(session.record().process == ProcessId{});
  const Session again(session.record());
  REQUIRE(again.state() == State::kStopped);
  REQUIRE(again.record() == session.record());
  REQUIRE(again.persistent());
}

}  // namespace capsem::service
