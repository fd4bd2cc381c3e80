#include "session/verb_rules.h"

namespace capsem::service {
namespace {

using Action = Verdict::Action;
using State = Session::State;

constexpr Verdict Refused(std::string_view cause, std::string_view remedy) {
  return {Action::kRefuse, cause, remedy};
}

constexpr Verdict kGoes =
    Refused("it is being stopped and does not stay", "create another (`capsem create`)");
// An ephemeral or bound session that has lost its machine has lost its disk with it.
constexpr Verdict kLost = Refused("its disk is gone with its machine",
                                  "see `capsem logs {}`, then delete it and create another");
constexpr Verdict kOfItsCall = Refused("it belongs to the call that made it, and ends with that",
                                       "create one that stays (`capsem create -n NAME`)");

Verdict ForExec(State state, SessionKind kind) {
  const bool stays = kind == SessionKind::kPersistent;
  switch (state) {
    case State::kCreating:
    case State::kRunning: return {};
    case State::kStopping:
      return stays ? Refused("it is being stopped", "`capsem restart {}` starts it again") : kGoes;
    case State::kStopped: return Refused("it is stopped", "`capsem start {}` starts it");
    case State::kFailed:
      return stays ? Refused("it has failed", "see `capsem logs {}`; `capsem start {}` tries again")
                   : kLost;
    case State::kGone: break;
  }
  return kGoes;
}

Verdict ForStart(State state, SessionKind kind) {
  const bool stays = kind == SessionKind::kPersistent;
  switch (state) {
    case State::kCreating:
    case State::kRunning: return {Action::kNothing, {}, {}};
    case State::kStopping:
      return stays ? Refused("it is being stopped",
                             "`capsem restart {}` waits for that, then starts it")
                   : kGoes;
    case State::kStopped:
    case State::kFailed: return stays ? Verdict{} : kLost;
    case State::kGone: break;
  }
  return kGoes;
}

Verdict ForStop(State state, SessionKind kind) {
  switch (state) {
    case State::kCreating:
    case State::kRunning: return {};
    case State::kStopping: return {Action::kJoin, {}, {}};
    case State::kStopped:
    case State::kFailed:
      return kind == SessionKind::kPersistent
                 ? Refused("it does not run",
                           "`capsem start {}` starts it, `capsem delete {}` removes it")
                 : Refused("it does not run", "`capsem delete {}` removes it");
    case State::kGone: break;
  }
  return kGoes;
}

Verdict ForRestart(State state, SessionKind kind) {
  if (kind == SessionKind::kBound) return kOfItsCall;
  if (kind == SessionKind::kPersistent) {
    if (state == State::kGone) return kGoes;
    return {state == State::kStopping ? Action::kJoin : Action::kDo, {}, {}};
  }
  if (state == State::kStopping || state == State::kGone) return kGoes;
  if (state == State::kFailed || state == State::kStopped) return kLost;
  return Refused("it does not stay when it is stopped",
                 "`capsem persist {}` makes it stay; then restart it");
}

Verdict ForPersist(State state, SessionKind kind) {
  if (kind == SessionKind::kBound) return kOfItsCall;
  if (state == State::kGone) return kGoes;
  if (kind == SessionKind::kPersistent) {
    return Refused("it stays already", "`capsem rename {} NAME` gives it another name");
  }
  if (state == State::kStopping) return kGoes;
  return state == State::kFailed || state == State::kStopped ? kLost : Verdict{};
}

Verdict ForRename(State state, SessionKind kind) {
  if (kind == SessionKind::kBound) return kOfItsCall;
  if (kind == SessionKind::kPersistent) return state == State::kGone ? kGoes : Verdict{};
  if (state == State::kStopping || state == State::kGone) return kGoes;
  if (state == State::kFailed || state == State::kStopped) return kLost;
  return Refused("only sessions that stay have names",
                 "`capsem persist {} NAME` makes it stay, under a name");
}

Verdict ForDelete(State state) {
  if (state == State::kGone) return kGoes;
  return {state == State::kStopping ? Action::kJoin : Action::kDo, {}, {}};
}

std::string_view Passive(SessionVerb verb) {
  switch (verb) {
    case SessionVerb::kExec: return "run commands";
    case SessionVerb::kStart: return "be started";
    case SessionVerb::kStop: return "be stopped";
    case SessionVerb::kRestart: return "be restarted";
    case SessionVerb::kPersist: return "be made to stay";
    case SessionVerb::kRename: return "be renamed";
    case SessionVerb::kDelete: return "be deleted";
  }
  return {};
}

std::string WithLabel(std::string_view text, const std::string& label) {
  std::string filled;
  for (size_t hole; (hole = text.find("{}")) != std::string_view::npos;
       text.remove_prefix(hole + 2))
    filled.append(text.substr(0, hole)).append(label);
  return filled.append(text);
}

}  // namespace

Verdict VerbAllowed(State state, SessionVerb verb, SessionKind kind) {
  switch (verb) {
    case SessionVerb::kExec: return ForExec(state, kind);
    case SessionVerb::kStart: return ForStart(state, kind);
    case SessionVerb::kStop: return ForStop(state, kind);
    case SessionVerb::kRestart: return ForRestart(state, kind);
    case SessionVerb::kPersist: return ForPersist(state, kind);
    case SessionVerb::kRename: return ForRename(state, kind);
    case SessionVerb::kDelete: return ForDelete(state);
  }
  return kGoes;
}

StatusOr<Verdict> CheckVerb(const Session& session, SessionVerb verb) {
  const Verdict verdict = VerbAllowed(session.state(), verb, session.kind());
  if (verdict.action != Action::kRefuse) return verdict;
  const std::string why =
      session.reason().empty() ? std::string() : fmt::format(" ({})", session.reason());
  return WithRemedy(FailedPrecondition("session {} cannot {}: {}{}", session.label(), Passive(verb),
                                       verdict.cause, why),
                    WithLabel(verdict.remedy, session.label()));
}

}  // namespace capsem::service
