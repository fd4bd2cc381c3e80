#include "commands.h"
#include "connection.h"
#include "each_session.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunRestart(const Args& args) {
  if (args.words().empty()) {
    return WithRemedy(InvalidArgument("restart wants a session"),
                      "for example: capsem restart box");
  }
  const auto grace = TRY(GraceOf(args));
  const Connection connection = TRY(Connect());
  std::vector<v1::RestartSessionRequest> requests;
  for (const std::string& session : args.words()) {
    v1::RestartSessionRequest& request = requests.emplace_back();
    request.set_session(session);
    request.set_grace_ms(grace);
  }
  return TellEach(args.words(), connection.client->Restart(requests), args);
}

}  // namespace

const Verb kRestartVerb = {
    .name = "restart",
    .alias = "",
    .synopsis = "[OPTION…] SESSION…",
    .summary = "Stop machines, if they run, and start them again.",
    .about = "Sessions without a name do not survive a stop: `capsem persist` makes them stay.",
    .options = {kGraceOption, {"-q, --quiet", "", "do not print what was restarted"}, kJsonOption},
    .example = "  capsem restart box\n  capsem restart --grace 0 box",
    .failures =
        "  3: there is no such session: see `capsem list`\n"
        "  4: it does not stay when it is stopped: `capsem persist` it first\n"
        "  5: too little disk or memory is free: stop another",
    .run = RunRestart,
};

}  // namespace capsem::cli
