#include "session/adoption.h"

#include <sys/wait.h>

#include "base/process_id.h"
#include "session/session_dir.h"
#include "testing/one_machine.h"
#include "wire/limits.h"
#include "wire/proof.h"

namespace capsem::service {
namespace {

using capsem::process::v1::IntroduceResponse;
using Event = FakeProcess::Event;

const std::string kNonce(wire::kNonceBytes, 'n');

SessionRecord MakeRecord() {
  SessionRecord record{.id = SessionId::Generate()};
  record.secret = "0123456789abcdef";
  return record;
}

// Of a session's process, for the session as it was left.
RecoveredSession LeftBehind(OneMachine& f, const std::string& id) {
  SessionSlot& slot = f.Slot(id);
  RecoveredSession left{slot.session.record(),
                        VALUE_OF(HoldProcess(slot.session.record().process))};
  f.sessions->HandOver();
  return left;
}

}  // namespace

TEST_CASE("a process is the session's when it proves the secret and speaks a version of ours") {
  const SessionRecord record = MakeRecord();
  IntroduceResponse said = FakeProcess::Introduction(record, kNonce);
  REQUIRE_OK(CheckIntroduction(record, kNonce, said));
  SECTION("another secret") {
    SessionRecord other = record;
    other.secret = "another";
    REQUIRE_CODE(CheckIntroduction(other, kNonce, said), kPermissionDenied);
  }
  SECTION("no secret at all") {
    SessionRecord none = record;
    none.secret.clear();
    REQUIRE_CODE(CheckIntroduction(none, kNonce, FakeProcess::Introduction(none, kNonce)),
                 kPermissionDenied);
  }
  SECTION("an answer to somebody else's question") {
    REQUIRE_CODE(CheckIntroduction(record, std::string(wire::kNonceBytes, 'x'), said),
                 kPermissionDenied);
  }
  SECTION("a nonce that was cut short") {
    said.set_nonce(said.nonce().substr(1));
    said.set_proof(wire::ProcessProof(record.secret, kNonce, said.nonce()));
    REQUIRE_CODE(CheckIntroduction(record, kNonce, said), kPermissionDenied);
  }
  SECTION("another session's process") {
    said.set_session_id("abcdefghijkl");
    REQUIRE_CODE(CheckIntroduction(record, kNonce, said), kPermissionDenied);
  }
  SECTION("only versions of the future") {
    said.set_protocol_min(wire::kProcessProtocolMax + 1);
    said.set_protocol_max(wire::kProcessProtocolMax + 1);
    REQUIRE_CODE(CheckIntroduction(record, kNonce, said), kFailedPrecondition);
  }
  SECTION("the oldest version, and newer ones") {
    said.set_protocol_min(wire::kProcessProtocolMin);
    said.set_protocol_max(wire::kProcessProtocolMax + 1);
    REQUIRE_OK(CheckIntroduction(record, kNonce, said));
  }
}

TEST_CASE("a machine that was left goes on under the next service, and calls wait for that") {
  OneMachine f;
  const std::string id = f.Run("box");
  const pid_t pid = f.Slot(id).process->pid();
  RecoveredSession left = LeftBehind(f, id);
  SessionTable table(f.loop, f.dir.path(), *f.registry);
  Sessions next(f.loop, table, f.kvm, {}, f.settings);
  f.process.knows = left.record;
  f.process.hold = nullptr;
  std::vector<RecoveredSession> recovered;
  recovered.push_back(std::move(left));
  next.Restore(std::move(recovered));
  SessionSlot& slot = *VALUE_OF(table.Find("box"));
  REQUIRE(slot.session.state() == Session::State::kRunning);
  REQUIRE(slot.session.ToProto().process_pid() == static_cast<uint32_t>(pid));
  std::optional<Status> signalled;
  slot.client->Signal({}, [&](const Status& status) { signalled = status; });
  REQUIRE(f.loop.RunUntil([&] { return signalled && f.process.hold && f.process.keep; }));
  REQUIRE_OK(*signalled);
  REQUIRE(f.process.keep == true);
  SECTION("and dies as ever") {
    f.process.Say(Event::STATE_GONE, "QEMU ended with signal 9 (Killed)");
    REQUIRE(f.loop.RunUntil([&] { return slot.session.state() == Session::State::kFailed; }));
    REQUIRE(slot.session.reason() == "QEMU ended with signal 9 (Killed)");
  }
  SECTION("and is stopped as ever") {
    f.process.on_stop = [&](uint32_t) { kill(pid, SIGTERM); };
    REQUIRE_OK(f.Wait(
        [&](Sessions::Done done) { next.Stop("box", std::chrono::seconds(10), std::move(done)); }));
    REQUIRE(slot.session.state() == Session::State::kStopped);
  }
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

TEST_CASE("a process that does not prove itself is ended, and its session fails with the reason") {
  OneMachine f;
  const std::string id = f.Run("box");
  const pid_t pid = f.Slot(id).process->pid();
  std::vector<RecoveredSession> recovered;
  recovered.push_back(LeftBehind(f, id));
  SessionTable table(f.loop, f.dir.path(), *f.registry);
  Sessions next(f.loop, table, f.kvm, {}, f.settings);
  f.process.knows = recovered[0].record;
  f.process.knows.secret = "another";
  f.process.hold = nullptr;
  next.Restore(std::move(recovered));
  SessionSlot& slot = *VALUE_OF(table.Find("box"));
  std::optional<Status> signalled;
  slot.client->Signal({}, [&](const Status& status) { signalled = status; });
  REQUIRE(f.loop.RunUntil([&] { return signalled.has_value(); }));
  REQUIRE_CODE(*signalled, kUnavailable);
  REQUIRE(slot.session.state() == Session::State::kFailed);
  REQUIRE(slot.session.reason().find("does not know the session's secret") != std::string::npos);
  REQUIRE(f.process.hold == nullptr);
  REQUIRE(!slot.process);
  REQUIRE(waitpid(pid, nullptr, 0) == pid);
}

TEST_CASE("a machine that ended before it could be held has ended as it said") {
  OneMachine f;
  const std::string id = f.Run("box");
  const pid_t pid = f.Slot(id).process->pid();
  std::vector<RecoveredSession> recovered;
  recovered.push_back(LeftBehind(f, id));
  capsem::process::v1::LastWord word;
  word.set_reason("it said so");
  word.set_clean(true);
  Session::State expected = Session::State::kStopped;
  SECTION("powered off: stopped") {}
  SECTION("restarted: started, which fails here") {
    word.set_restart(true);
    expected = Session::State::kFailed;
  }
  std::ofstream(f.dir / id + "/last_word") << word.SerializeAsString();
  kill(pid, SIGKILL);
  f.server->Stop();
  SessionTable table(f.loop, f.dir.path(), *f.registry);
  MachineTools tools;
  tools.find_process = [&](auto done) {
    f.Answer<std::string>(std::move(done), NotFound("no program here"));
  };
  Sessions next(f.loop, table, f.kvm, std::move(tools), f.settings);
  next.Restore(std::move(recovered));
  SessionSlot& slot = *VALUE_OF(table.Find("box"));
  REQUIRE(f.loop.RunUntil([&] { return slot.session.state() == expected; }));
  const bool stopped = expected == Session::State::kStopped;
  REQUIRE(slot.session.reason().starts_with(stopped ? "it said so" : "no program here"));
  REQUIRE(waitpid(pid, nullptr, 0) == pid);
}

TEST_CASE("a session whose guest restarted itself while no service ran is started") {
  OneMachine f;
  RecoveredSession stopped{MakeRecord(), {}, true};
  stopped.record.kind = SessionKind::kPersistent;
  stopped.record.name = VALUE_OF(SessionName::Parse("box"));
  stopped.record.state = SessionRecord::State::kStopped;
  stopped.record.used = true;
  const std::string folder = f.dir / stopped.record.id.text();
  REQUIRE_OK(MakeSessionDir(folder));
  std::ofstream(folder + "/disk.img") << "disk";
  std::vector<RecoveredSession> recovered;
  recovered.push_back(std::move(stopped));
  f.sessions->Restore(std::move(recovered));
  f.AwaitUp("box");
}

TEST_CASE("what is starting is not left behind, and nothing is started any more") {
  OneMachine f;
  VALUE_OF(f.Create("box"));
  REQUIRE(f.loop.RunUntil([&] { return f.process.hold != nullptr; }));
  f.sessions->HandOver();
  REQUIRE_CODE(f.Create("other"), kUnavailable);
  const pid_t pid = f.Slot("box").process->pid();
  f.Slot("box").process = nullptr;  // as it does when the service ends
  REQUIRE(kill(pid, 0) != 0);
}

}  // namespace capsem::service
