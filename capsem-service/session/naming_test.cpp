#include "session/naming.h"

#include "testing/one_machine.h"

namespace capsem::service {
namespace {

struct Fixture : OneMachine {
  Naming naming{loop, table};

  using Call = void (Naming::*)(std::string_view, std::string_view, Naming::Done);
  StatusOr<capsem::v1::Session> Ask(Call call, const std::string& session,
                                    const std::string& name) {
    std::optional<StatusOr<capsem::v1::Session>> answer;
    (naming.*call)(session, name, [&](auto result) { answer = std::move(result); });
    REQUIRE(!answer);
    REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
    return *answer;
  }
  StatusOr<capsem::v1::Session> Persist(const std::string& session, const std::string& name = {}) {
    return Ask(&Naming::Persist, session, name);
  }
  StatusOr<capsem::v1::Session> Rename(const std::string& session, const std::string& name) {
    return Ask(&Naming::Rename, session, name);
  }
  // What the registry would tell the next service. Nothing is being written when this is asked.
  std::vector<SessionRecord> Recorded() {
    return VALUE_OF(VALUE_OF(Registry::Open(loop, dir / "registry.db"))->Read());
  }
};

}  // namespace

TEST_CASE("an ephemeral session that is persisted stays, with or without a name") {
  Fixture f;
  const std::string name = GENERATE("", "box");
  const std::string id = f.Run();
  const capsem::v1::Session session = VALUE_OF(f.Persist(id, name));
  REQUIRE(session.persistent());
  REQUIRE(session.name() == name);
  REQUIRE(session.state() == capsem::v1::SESSION_STATE_RUNNING);
  const auto recorded = f.Recorded();
  REQUIRE(recorded.size() == 1);
  REQUIRE(recorded[0].kind == SessionKind::kPersistent);
  REQUIRE(recorded[0].name.has_value() == !name.empty());
  REQUIRE_CODE(f.Persist(id), kFailedPrecondition);
}

TEST_CASE("a session takes another name, and its old one is free") {
  Fixture f;
  const std::string id = f.Run("box");
  REQUIRE(VALUE_OF(f.Rename("box", "crate")).id() == id);
  REQUIRE_CODE(f.table.Find("box"), kNotFound);
  REQUIRE(VALUE_OF(f.Rename("crate", "crate")).name() == "crate");
  REQUIRE(f.Recorded()[0].name->text() == "crate");
  REQUIRE_OK(f.table.CheckName(VALUE_OF(SessionName::Parse("box"))));
}

TEST_CASE("a name that is taken, or none, is refused, and nothing changes") {
  Fixture f;
  f.Run("box");
  f.hold_disk = true;
  const std::string other = VALUE_OF(f.Create()).id();
  REQUIRE_CODE(f.Persist(other, "box"), kAlreadyExists);
  REQUIRE_CODE(f.Persist(other, "../x"), kInvalidArgument);
  REQUIRE_CODE(f.Rename("box", ""), kInvalidArgument);
  REQUIRE_CODE(f.Rename(other, "crate"), kFailedPrecondition);
  REQUIRE_CODE(f.Rename("nobody", "crate"), kNotFound);
  REQUIRE(!f.Get(other).persistent());
  f.release_disk();
  REQUIRE_OK(f.Delete(other));
}

TEST_CASE("two renames to one name: one has it") {
  Fixture f;
  f.PowerOffAsAsked(f.Run("box"));
  REQUIRE_OK(f.Stop("box"));
  f.server.reset();
  f.process.hold = nullptr;
  f.Run("crate");
  int won = 0, lost = 0;
  for (const char* session : {"box", "crate"}) {
    f.naming.Rename(session, "tub", [&](const StatusOr<capsem::v1::Session>& answer) {
      ++(answer.ok() ? won : lost);
    });
  }
  REQUIRE(f.loop.RunUntil([&] { return won + lost == 2; }));
  REQUIRE(won == 1);
}

TEST_CASE("a change that cannot be recorded is taken back") {
  Fixture f;
  const std::string id = f.Run();
  {
    auto other = VALUE_OF(sqlite::Database::Open(f.dir / "registry.db"));
    REQUIRE_OK(other.RunScript("DROP TABLE session_env"));
  }
  REQUIRE(!f.Persist(id, "box").ok());
  REQUIRE(!f.Get(id).persistent());
  REQUIRE(f.Get(id).name().empty());
}

}  // namespace capsem::service
