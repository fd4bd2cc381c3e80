#include "session/verb_rules.h"

#include <map>
#include <tuple>
#include <vector>

#include "base/testing/status_matchers.h"

namespace capsem::service {
namespace {

using Action = Verdict::Action;
using Kind = SessionKind;
using State = Session::State;
using Verb = SessionVerb;

constexpr Verb kVerbs[] = {Verb::kExec,    Verb::kStart,  Verb::kStop,  Verb::kRestart,
                           Verb::kPersist, Verb::kRename, Verb::kDelete};
constexpr Kind kKinds[] = {Kind::kEphemeral, Kind::kPersistent, Kind::kBound};
constexpr State kStates[] = {State::kCreating, State::kRunning, State::kStopping,
                             State::kStopped,  State::kFailed,  State::kGone};

constexpr Action kDo = Action::kDo, kNo = Action::kRefuse, kJoin = Action::kJoin,
                 kSo = Action::kNothing;

// Columns: creating, running, stopping, stopped, failed, gone.
const std::map<std::pair<Kind, Verb>, std::vector<Action>> kTable = {
    {{Kind::kPersistent, Verb::kExec}, {kDo, kDo, kNo, kNo, kNo, kNo}},
    {{Kind::kPersistent, Verb::kStart}, {kSo, kSo, kNo, kDo, kDo, kNo}},
    {{Kind::kPersistent, Verb::kStop}, {kDo, kDo, kJoin, kNo, kNo, kNo}},
    {{Kind::kPersistent, Verb::kRestart}, {kDo, kDo, kJoin, kDo, kDo, kNo}},
    {{Kind::kPersistent, Verb::kPersist}, {kNo, kNo, kNo, kNo, kNo, kNo}},
    {{Kind::kPersistent, Verb::kRename}, {kDo, kDo, kDo, kDo, kDo, kNo}},
    {{Kind::kPersistent, Verb::kDelete}, {kDo, kDo, kJoin, kDo, kDo, kNo}},
    {{Kind::kEphemeral, Verb::kExec}, {kDo, kDo, kNo, kNo, kNo, kNo}},
    {{Kind::kEphemeral, Verb::kStart}, {kSo, kSo, kNo, kNo, kNo, kNo}},
    {{Kind::kEphemeral, Verb::kStop}, {kDo, kDo, kJoin, kNo, kNo, kNo}},
    {{Kind::kEphemeral, Verb::kRestart}, {kNo, kNo, kNo, kNo, kNo, kNo}},
    {{Kind::kEphemeral, Verb::kPersist}, {kDo, kDo, kNo, kNo, kNo, kNo}},
    {{Kind::kEphemeral, Verb::kRename}, {kNo, kNo, kNo, kNo, kNo, kNo}},
    {{Kind::kEphemeral, Verb::kDelete}, {kDo, kDo, kJoin, kDo, kDo, kNo}},
    {{Kind::kBound, Verb::kExec}, {kDo, kDo, kNo, kNo, kNo, kNo}},
    {{Kind::kBound, Verb::kStart}, {kSo, kSo, kNo, kNo, kNo, kNo}},
    {{Kind::kBound, Verb::kStop}, {kDo, kDo, kJoin, kNo, kNo, kNo}},
    {{Kind::kBound, Verb::kRestart}, {kNo, kNo, kNo, kNo, kNo, kNo}},
    {{Kind::kBound, Verb::kPersist}, {kNo, kNo, kNo, kNo, kNo, kNo}},
    {{Kind::kBound, Verb::kRename}, {kNo, kNo, kNo, kNo, kNo, kNo}},
    {{Kind::kBound, Verb::kDelete}, {kDo, kDo, kJoin, kDo, kDo, kNo}},
};

SessionRecord MakeRecord(Kind kind) {
  SessionRecord record{.id = VALUE_OF(SessionId::Parse("abcdefghijkl"))};
  record.kind = kind;
  record.name = VALUE_OF(SessionName::Parse("box"));
  record.reason = "the machine died";
  return record;
}

}  // namespace

TEST_CASE("every verb on every kind of session in every state is decided as the table says") {
  for (const Kind kind : kKinds) {
    for (const Verb verb : kVerbs) {
      for (size_t i = 0; i < std::size(kStates); ++i) {
        INFO("kind " << static_cast<int>(kind) << " verb " << static_cast<int>(verb) << " in "
                     << NameOf(kStates[i]));
        REQUIRE(VerbAllowed(kStates[i], verb, kind).action == kTable.at({kind, verb})[i]);
      }
    }
  }
}

TEST_CASE("every refusal has a cause, and a remedy that names the session where it names a verb") {
  for (const Kind kind : kKinds) {
    for (const Verb verb : kVerbs) {
      for (const State state : kStates) {
        const Verdict verdict = VerbAllowed(state, verb, kind);
        if (verdict.action != Action::kRefuse) continue;
        REQUIRE(!verdict.cause.empty());
        REQUIRE(!verdict.remedy.empty());
      }
    }
  }
}

TEST_CASE("a refusal says on which session, why, and what to type instead") {
  Session session(MakeRecord(Kind::kPersistent));
  const auto refused = CheckVerb(session, Verb::kExec);
  REQUIRE_CODE(refused, kFailedPrecondition);
  REQUIRE(Message(refused.status()) ==
          "session box cannot run commands: it is stopped (the machine died)");
  REQUIRE(Remedy(refused.status()) == "`capsem start box` starts it");
  REQUIRE(VALUE_OF(CheckVerb(session, Verb::kStart)).action == Action::kDo);
}

}  // namespace capsem::service
