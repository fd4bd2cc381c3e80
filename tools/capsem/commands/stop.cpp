#include "commands.h"
#include "connection.h"
#include "each_session.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

constexpr std::chrono::seconds kMaxGrace{300};  // sessions.proto

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
  const auto grace = TRY(args.Seconds("--grace", kMaxGrace));
  const Connection connection = TRY(all ? ConnectIfRunning() : Connect());
  if (!connection.client) return 0;
  std::vector<std::string> sessions = args.words();
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
    // 0 is the API's default; no grace at all is its smallest one.
    if (grace) request.set_grace_ms(std::max<uint32_t>(1, static_cast<uint32_t>(grace->count())));
  }
  return TellEach(sessions, connection.client->Stop(requests), args);
}

}  // namespace

const Verb kStopVerb = {
    .name = "stop",
    .alias = "",
    .synopsis = "[OPTION…] SESSION… | --all",
    .summary = "Power machines off; sessions without a name are gone then.",
    .about = "The guest gets the time of --grace to end by itself, then its power is cut.",
    .options = {{"--all", "", "every session that runs"},
                {"--grace", "S", "seconds to end by itself, 0 to 300 (default: 10)"},
                {"-q, --quiet", "", "do not print what was stopped"},
                kJsonOption},
    .example = "  capsem stop box\n  capsem stop --all",
    .failures =
        "  3: there is no such session: see `capsem list`\n"
        "  4: it does not run\n"
        "  6: the service could not be started: the message names its log",
    .run = RunStop,
};

}  // namespace capsem::cli
