#include "session/sessions.h"

#include "session/purge.h"
#include "session/session_dir.h"
#include "testing/one_machine.h"

namespace capsem::service {
namespace {

using Event = FakeProcess::Event;

// By a connection of its own: a change may be on its way to the disk.
std::vector<SessionRecord> Recorded(OneMachine& f) {
  return VALUE_OF(OpenRegistry(f.loop, f.dir)->Read());
}

}  // namespace

TEST_CASE("create answers while the machine starts; it runs when its guest is up") {
  OneMachine f;
  const capsem::v1::Session session = VALUE_OF(f.Create("box"));
  REQUIRE(session.state() == capsem::v1::SESSION_STATE_CREATING);
  REQUIRE(session.name() == "box");
  REQUIRE(session.image_digest() == "digest");
  REQUIRE(session.cpus() == 1);
  REQUIRE(f.loop.RunUntil([&] { return f.process.hold != nullptr; }));
  f.process.Say(Event::STATE_BOOTING);
  REQUIRE(f.Get("box").state() == capsem::v1::SESSION_STATE_CREATING);
  f.process.Say(Event::STATE_READY);
  f.Await("box", capsem::v1::SESSION_STATE_RUNNING);
  REQUIRE(f.Get("box").process_pid() == static_cast<uint32_t>(f.Slot("box").process->pid()));
}

TEST_CASE("a create that is refused leaves nothing") {
  OneMachine f;
  SECTION("no such image") {
    f.image = NotFound("there is no image called base");
    REQUIRE_CODE(f.Create("box"), kNotFound);
  }
  SECTION("a capsem-process that is not ours") {
    f.program = DataLoss("capsem-process is not as it was built");
    REQUIRE_CODE(f.Create("box"), kDataLoss);
  }
  SECTION("a bad request") { REQUIRE_CODE(f.Create("../x"), kInvalidArgument); }
  REQUIRE(f.table.All().empty());
  REQUIRE(SessionDirsIn(f.dir.path()).empty());
}

TEST_CASE("a session that fails while it starts says why and keeps its logs, not its disk") {
  OneMachine f;
  f.disk = WithRemedy(ResourceExhausted("no space left"), "free some");
  const std::string id = VALUE_OF(f.Create()).id();
  f.Await(id, capsem::v1::SESSION_STATE_FAILED);
  REQUIRE(f.Get(id).reason() == "no space left (free some)");
  REQUIRE(f.HasDir(id));
  REQUIRE(!std::filesystem::exists(f.dir / id + "/disk.img"));
  REQUIRE_CODE(f.table.Live(id), kFailedPrecondition);
}

TEST_CASE("a process that does not come up fails its session with its last words") {
  OneMachine f("echo 'capsem-process: QEMU is missing' >&2; exit 1");
  const std::string id = VALUE_OF(f.Create()).id();
  f.Await(id, capsem::v1::SESSION_STATE_FAILED);
  REQUIRE(f.Get(id).reason().find("QEMU is missing") != std::string::npos);
  REQUIRE(f.Get(id).reason().find("`capsem logs`") != std::string::npos);
}

TEST_CASE(
    "a machine or process that dies fails its session, and waiting calls end with the reason") {
  OneMachine f;
  const std::string id = VALUE_OF(f.Create()).id();
  std::optional<Status> end;
  const auto exec = f.Slot(id).client->Exec(
      {.on_event = [](auto) {}, .on_ready = [] {}, .on_closed = [&](const Status& s) { end = s; }});
  exec->Write({});
  REQUIRE(f.loop.RunUntil([&] { return f.process.hold && !f.process.execs.empty(); }));
  std::string reason;
  SECTION("QEMU") {
    reason = "QEMU ended with signal 9 (Killed)";
    f.process.Say(Event::STATE_GONE, reason);
    f.process.EndExecs(Unavailable("the machine is gone"));
  }
  SECTION("capsem-process") {
    reason = "capsem-process ended with signal 9 (Killed)";
    kill(f.Slot(id).process->pid(), SIGKILL);
    f.server->Stop();
  }
  f.Await(id, capsem::v1::SESSION_STATE_FAILED);
  REQUIRE(f.Get(id).reason() == reason);
  REQUIRE(f.loop.RunUntil([&] { return end.has_value(); }));
  REQUIRE_CODE(*end, kUnavailable);
  REQUIRE(Message(*end).find(reason) != std::string_view::npos);
}

TEST_CASE("stop asks the guest; an ephemeral session is gone then, a persistent one is stopped") {
  OneMachine f;
  const bool persistent = GENERATE(false, true);
  const std::string id = f.Run(persistent ? "box" : "");
  uint32_t asked = 0;
  f.process.on_stop = [&](uint32_t grace_ms) {
    asked = grace_ms;
    kill(f.Slot(id).process->pid(), SIGTERM);
  };
  REQUIRE_OK(f.Stop(id));
  REQUIRE(asked == 10000);
  REQUIRE(f.table.All().size() == (persistent ? 1 : 0));
  REQUIRE(f.HasDir(id) == persistent);
  if (!persistent) return;
  REQUIRE(f.Get(id).state() == capsem::v1::SESSION_STATE_STOPPED);
  REQUIRE(f.Get(id).process_pid() == 0);
  REQUIRE_CODE(f.Stop(id), kFailedPrecondition);
  REQUIRE_OK(f.Delete(id));
  REQUIRE(!f.HasDir(id));
}

TEST_CASE("delete ends a machine at once, whatever it is doing") {
  OneMachine f;
  std::string id;
  SECTION("running") { id = f.Run("box"); }
  SECTION("its guest is not up") {
    id = VALUE_OF(f.Create("box")).id();
    REQUIRE(f.loop.RunUntil([&] { return f.process.hold != nullptr; }));
  }
  SECTION("its disk is being made") {
    f.hold_disk = true;
    id = VALUE_OF(f.Create("box")).id();
    f.loop.Post([&] { f.release_disk(); });
  }
  SECTION("it is being stopped") {
    id = f.Run("box");
    f.sessions->Stop(id, std::chrono::seconds(100), [](const Status&) {});
  }
  REQUIRE_OK(f.Delete("box"));
  REQUIRE(f.table.All().empty());
  REQUIRE(!f.HasDir(id));
  REQUIRE_CODE(f.Delete("box"), kNotFound);
}

TEST_CASE("a session whose folder cannot be removed is still there, and can be deleted again") {
  OneMachine f;
  const std::string name = GENERATE("", "box");
  const std::string id = f.Run(name);
  const std::string away = f.dir.path() + ".away";
  // Nobody, root included, can remove anything behind a link that leads to itself.
  std::filesystem::rename(f.dir.path(), away);
  std::filesystem::create_symlink(f.dir.path(), f.dir.path());
  const Status failed = f.Delete(id);
  std::filesystem::remove(f.dir.path());
  std::filesystem::rename(away, f.dir.path());
  REQUIRE(!failed.ok());
  REQUIRE(Message(failed).find("could not be deleted") != std::string_view::npos);
  REQUIRE(Remedy(failed).find("delete the session again") != std::string::npos);
  REQUIRE(f.Get(id).state() == capsem::v1::SESSION_STATE_FAILED);
  REQUIRE(f.Get(id).reason().find("could not be deleted") != std::string::npos);
  const auto recorded = Recorded(f);
  REQUIRE(recorded.size() == 1);
  REQUIRE(recorded[0].state == SessionRecord::State::kFailed);
  REQUIRE_OK(f.Delete(id));
  REQUIRE(!f.HasDir(id));
  REQUIRE(Recorded(f).empty());
}

TEST_CASE("a guest that powers itself off stops its session") {
  OneMachine f;
  const bool persistent = GENERATE(false, true);
  const std::string id = f.Run(persistent ? "box" : "");
  f.process.Say(Event::STATE_GONE, "powered off", /*clean=*/true);
  REQUIRE(f.loop.RunUntil([&] { return f.Slot(id).session.state() == Session::State::kStopping; }));
  kill(f.Slot(id).process->pid(), SIGTERM);
  if (!persistent) return f.AwaitGone(id);
  f.Await(id, capsem::v1::SESSION_STATE_STOPPED);
  REQUIRE(f.Get(id).reason() == "it powered itself off");
}

TEST_CASE("a guest that stands still says why, for as long as it does") {
  OneMachine f;
  const std::string id = f.Run("box");
  f.process.Say(Event::STATE_READY, "the host's disk is full");
  REQUIRE(f.loop.RunUntil([&] { return f.Get(id).reason() == "the host's disk is full"; }));
  REQUIRE(f.Get(id).state() == capsem::v1::SESSION_STATE_RUNNING);
  REQUIRE(f.Slot(id).session.record().reason.empty());
  f.process.Say(Event::STATE_READY);
  REQUIRE(f.loop.RunUntil([&] { return f.Get(id).reason().empty(); }));
}

TEST_CASE("a guest that restarts itself has its session back, if that stays") {
  OneMachine f;
  const bool persistent = GENERATE(false, true);
  const std::string id = f.Run(persistent ? "box" : "");
  f.process.Say(Event::STATE_GONE, "restarted", /*clean=*/true, /*restart=*/true);
  REQUIRE(f.loop.RunUntil([&] { return f.Slot(id).session.state() == Session::State::kStopping; }));
  kill(f.Slot(id).process->pid(), SIGTERM);
  f.process.hold = nullptr;
  if (!persistent) return f.AwaitGone(id);
  f.AwaitUp(id);
  REQUIRE(f.Get(id).name() == "box");
  REQUIRE_OK(f.Delete(id));
}

TEST_CASE("of failed ephemeral sessions the newest five stay") {
  OneMachine f;
  f.disk = WithRemedy(ResourceExhausted("no space left"), "free some");
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) {
    ids.push_back(VALUE_OF(f.Create()).id());
    f.Await(ids.back(), capsem::v1::SESSION_STATE_FAILED);
  }
  REQUIRE(f.loop.RunUntil([&] { return f.table.All().size() == 5; }));
  REQUIRE(!f.HasDir(ids[0]));
  REQUIRE(!f.HasDir(ids[1]));
  REQUIRE(f.HasDir(ids[2]));
}

TEST_CASE("at the end what stays is stopped, the rest goes, and nothing new is taken") {
  OneMachine f;
  const std::string name = GENERATE("", "box");
  const std::string id = f.Run(name);
  f.process.on_stop = [&](uint32_t) { kill(f.Slot(id).process->pid(), SIGTERM); };
  bool over = false;
  f.sessions->EndAll([&] { over = true; });
  REQUIRE_CODE(f.Create(), kUnavailable);
  REQUIRE(!Remedy(f.Create().status()).empty());
  REQUIRE(f.loop.RunUntil([&] { return over; }));
  REQUIRE(f.HasDir(id) == !name.empty());
  const auto recorded = Recorded(f);
  REQUIRE(recorded.size() == (name.empty() ? 0 : 1));
  if (name.empty()) return;
  REQUIRE(recorded[0].state == SessionRecord::State::kStopped);
  REQUIRE_CODE(f.Start(id), kUnavailable);
}

TEST_CASE("a session that was told of is recorded, and forgotten when it is gone") {
  OneMachine f;
  const std::string name = GENERATE("", "box");
  const std::string id = f.Run(name);
  REQUIRE(f.loop.RunUntil([&] { return Recorded(f)[0].used; }));
  const auto recorded = Recorded(f);
  REQUIRE(recorded.size() == 1);
  REQUIRE(recorded[0] == f.Slot(id).session.record());
  REQUIRE(recorded[0].image_digest == "digest");
  REQUIRE_OK(f.Delete(id));
  REQUIRE(Recorded(f).empty());
}

TEST_CASE("the registry knows a process before anybody holds it, and forgets it with its machine") {
  OneMachine f;
  const std::string id = VALUE_OF(f.Create("box")).id();
  REQUIRE(f.loop.RunUntil([&] { return f.process.hold != nullptr; }));
  const ProcessId process = VALUE_OF(IdentifyProcess(f.Slot(id).process->pid()));
  REQUIRE(Recorded(f)[0].process == process);
  f.AwaitUp(id);
  f.PowerOffAsAsked(id);
  REQUIRE_OK(f.Stop(id));
  REQUIRE(Recorded(f)[0].process == ProcessId{});
}

TEST_CASE("a process that cannot be recorded is ended, and its session fails with the reason") {
  OneMachine f;
  f.hold_disk = true;
  const std::string id = VALUE_OF(f.Create("box")).id();
  REQUIRE(f.loop.RunUntil([&] { return f.release_disk != nullptr; }));
  {
    auto other = VALUE_OF(sqlite::Database::Open(f.dir / "registry.db"));
    REQUIRE_OK(other.RunScript("DROP TABLE session_env"));
  }
  f.release_disk();
  f.Await(id, capsem::v1::SESSION_STATE_FAILED);
  REQUIRE(f.Get(id).reason().find("is not recorded") != std::string::npos);
  REQUIRE(f.process.hold == nullptr);
  REQUIRE(!f.Slot(id).process);
}

TEST_CASE("a stopped session starts again on its own disk, as it was made") {
  OneMachine f;
  const std::string id = f.Run("box");
  f.PowerOffAsAsked(id);
  REQUIRE_OK(f.Stop("box"));
  std::ofstream(f.dir / id + "/disk.img") << "written before";
  const capsem::v1::Session session = VALUE_OF(f.Start("box"));
  REQUIRE(session.state() == capsem::v1::SESSION_STATE_CREATING);
  REQUIRE(session.id() == id);
  REQUIRE(f.image_opened == "digest");
  f.AwaitUp(id);
  REQUIRE(VALUE_OF(f.Start("box")).state() == capsem::v1::SESSION_STATE_RUNNING);
  std::string line;
  std::getline(std::ifstream(f.dir / id + "/disk.img"), line);
  REQUIRE(line == "written before");
}

TEST_CASE("a restart stops what runs, and starts it; of what does not stay there is none") {
  OneMachine f;
  const std::string id = f.Run("box");
  f.PowerOffAsAsked(id);
  REQUIRE(VALUE_OF(f.Restart("box")).state() == capsem::v1::SESSION_STATE_CREATING);
  f.AwaitUp(id);
  REQUIRE_OK(f.Delete("box"));
  f.server.reset();
  f.process.hold = nullptr;
  const std::string ephemeral = f.Run();
  REQUIRE_CODE(f.Restart(ephemeral), kFailedPrecondition);
  REQUIRE(f.Get(ephemeral).state() == capsem::v1::SESSION_STATE_RUNNING);
}

TEST_CASE("a delete that comes into a restart wins") {
  OneMachine f;
  const std::string id = f.Run("box");
  std::optional<Status> restarted;
  f.sessions->Restart("box", std::chrono::seconds(100),
                      [&](const auto& answer) { restarted = answer.status(); });
  REQUIRE_OK(f.Delete("box"));
  REQUIRE(f.loop.RunUntil([&] { return restarted.has_value(); }));
  REQUIRE_CODE(*restarted, kNotFound);
  REQUIRE(!f.HasDir(id));
}

TEST_CASE("a persistent session that died keeps its disk and starts again") {
  OneMachine f;
  const std::string id = f.Run("box");
  SECTION("when nothing of it is left") {
    kill(f.Slot(id).process->pid(), SIGKILL);
    f.Await(id, capsem::v1::SESSION_STATE_FAILED);
  }
  SECTION("while its process is still there") {
    f.process.Say(Event::STATE_GONE, "QEMU ended with signal 9 (Killed)");
    f.Await(id, capsem::v1::SESSION_STATE_FAILED);
    kill(f.Slot(id).process->pid(), SIGTERM);
  }
  REQUIRE(std::filesystem::exists(f.dir / id + "/disk.img"));
  f.process.hold = nullptr;
  REQUIRE_OK(f.Start("box"));
  f.AwaitUp(id);
}

TEST_CASE("a start that cannot be leaves the session failed, with its disk and the reason") {
  OneMachine f;
  const std::string id = f.Run("box");
  f.PowerOffAsAsked(id);
  REQUIRE_OK(f.Stop("box"));
  SECTION("its image is gone") {
    f.image = NotFound("there is no image of digest digest");
    REQUIRE_CODE(f.Start("box"), kNotFound);
    REQUIRE(std::filesystem::exists(f.dir / id + "/disk.img"));
  }
  SECTION("its disk is gone") {
    std::filesystem::remove(f.dir / id + "/disk.img");
    REQUIRE_OK(f.Start("box"));
  }
  f.Await("box", capsem::v1::SESSION_STATE_FAILED);
  REQUIRE(!f.Get("box").reason().empty());
  REQUIRE(Recorded(f)[0].id.text() == id);
}

TEST_CASE("a create that cannot be recorded is refused, and nothing of it stays") {
  OneMachine f;
  {
    auto other = VALUE_OF(sqlite::Database::Open(f.dir / "registry.db"));
    REQUIRE_OK(other.RunScript("DROP TABLE session_env"));
  }
  REQUIRE(!f.Create("box").ok());
  REQUIRE(f.loop.RunUntil([&] { return f.table.All().empty(); }));
  REQUIRE(SessionDirsIn(f.dir.path()).empty());
}

TEST_CASE("of many creates of one name exactly one wins") {
  OneMachine f;
  int won = 0, taken = 0;
  capsem::v1::CreateSessionRequest request;
  request.set_name("box");
  for (int i = 0; i < 8; ++i) {
    f.sessions->Create(request, Sessions::Owner::kUser, [&](const auto& answer) {
      ++(answer.ok() ? won : taken);
      if (!answer.ok()) REQUIRE_CODE(answer, kAlreadyExists);
    });
  }
  REQUIRE(f.loop.RunUntil([&] { return won + taken == 8; }));
  REQUIRE(won == 1);
}

TEST_CASE("a purge takes the ephemeral sessions, or all") {
  OneMachine f;
  f.Run("box");
  f.hold_disk = true;
  REQUIRE_OK(f.Create());
  f.release_disk();
  const bool all = GENERATE(false, true);
  std::optional<capsem::v1::PurgeSessionsResponse> purged;
  Purge(f.loop, f.table, *f.sessions, all, [&](auto answer) { purged = VALUE_OF(answer); });
  REQUIRE(!purged);
  REQUIRE(f.loop.RunUntil([&] { return purged.has_value(); }));
  REQUIRE(purged->ephemeral() == 1);
  REQUIRE(purged->persistent() == (all ? 1 : 0));
  REQUIRE(purged->sessions_size() == (all ? 2 : 1));
  REQUIRE(f.table.All().size() == (all ? 0 : 1));
}

}  // namespace capsem::service
