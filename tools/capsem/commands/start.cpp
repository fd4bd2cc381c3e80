#include "commands.h"
#include "connection.h"
#include "each_session.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunStart(const Args& args) {
  if (args.words().empty())
    return WithRemedy(InvalidArgument("start wants a session"), "for example: capsem start box");
  const Connection connection = TRY(Connect());
  std::vector<v1::StartSessionRequest> requests;
  for (const std::string& session : args.words()) requests.emplace_back().set_session(session);
  return TellEach(args.words(), connection.client->Start(requests), args);
}

}  // namespace

const Verb kStartVerb = {
    .name = "start",
    .alias = "",
    .synopsis = "[OPTION…] SESSION…",
    .summary = "Start the machines of sessions that are stopped or have failed.",
    .about =
        "Each boots from its own disk, with the sizes and variables that it was created with.\n"
        "Answers at once; commands sent to it wait until it has booted. One that runs is left "
        "alone.",
    .options = {{"-q, --quiet", "", "do not print what was started"}, kJsonOption},
    .example = "  capsem start box\n  capsem exec box -- cat /root/notes",
    .failures =
        "  3: there is no such session: see `capsem list`\n"
        "  4: it is being stopped (`capsem restart` waits for that), or it does not stay\n"
        "  5: ten sessions run already, or too little disk or memory is free: stop one",
    .run = RunStart,
};

}  // namespace capsem::cli
