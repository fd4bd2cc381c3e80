#include "commands.h"
#include "connection.h"
#include "each_session.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

bool HasMachine(const v1::Session& session) {
  return session.state() == v1::SESSION_STATE_CREATING ||
         session.state() == v1::SESSION_STATE_RUNNING;
}

StatusOr<int> RunStop(const Args& args) {
  const bool all = args.Flag("--all");
  if (all != args.words().empty()) {
    return WithRemedy(
        InvalidArgument("{}", all ? "stop --all takes no session" : "stop wants a session"),
        "for example: capsem stop box, or: capsem stop --all");
  }
  const uint32_t grace = TRY(GraceOf(args));
  const Connection connection = TRY(all ? ConnectIfRunning() : Connect());
  std::vector<std::string> sessions = args.words();
  if (!connection.client) return TellEach(sessions, {}, args);
  if (all) {
    const v1::ListSessionsResponse list = TRY(connection.client->List());
    for (const v1::Session& session : list.sessions()) {
      if (HasMachine(session)) sessions.push_back(session.id());
    }
  }
  std::vector<v1::StopSessionRequest> requests;
  for (const std::string& session : sessions) {
    v1::StopSessionRequest& request = requests.emplace_back();
    request.set_session(session);
    request.set_grace_ms(grace);
  }
  return TellEach(sessions, connection.client->Stop(requests), args);
}

}  // namespace

const Verb kStopVerb = {
    .name = "stop",
    .alias = "",
    .synopsis = "[OPTION…] SESSION… | --all",
    .summary = "Power machines off; sessions without a name are gone then.",
    .about =
        "The guest gets the time of --grace to end by itself, then its power is cut. Sessions "
        "with\n"
        "a name, and those that were persisted, keep their disk: `capsem start` starts them again.",
    .options = {{"--all", "", "every session that runs"},
                kGraceOption,
                {"-q, --quiet", "", "do not print what was stopped"},
                kJsonOption},
    .example = "  capsem stop box\n  capsem stop --all",
    .failures =
        "  3: there is no such session: see `capsem list`\n"
        "  4: it does not run: `capsem start` starts it\n"
        "  6: the service could not be started: the message names its log",
    .run = RunStop,
};

}  // namespace capsem::cli
