// Which verb is allowed in which state of which kind of session: one table, in verb_rules.cpp, for
// the drawing in session.h. Pure. A refusal says why, and what to do instead.
#pragma once

#include <string_view>

#include "base/status.h"
#include "session/session.h"

namespace capsem::service {

enum class SessionVerb { kExec, kStart, kStop, kRestart, kPersist, kRename, kDelete };

struct Verdict {
  enum class Action {
    kDo,
    kNothing,  // it is so already
    kJoin,     // it is on its way there: whoever asks waits for it too
    kRefuse,
  };
  Action action = Action::kDo;
  std::string_view cause;   // of a refusal: "it is being stopped"
  std::string_view remedy;  // likewise; {} stands for the session
};

Verdict VerbAllowed(Session::State state, SessionVerb verb, SessionKind kind);
// The verdict on this session, or FailedPrecondition with cause and remedy: never kRefuse.
StatusOr<Verdict> CheckVerb(const Session& session, SessionVerb verb);

}  // namespace capsem::service
