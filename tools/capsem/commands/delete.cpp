#include "commands.h"
#include "connection.h"
#include "each_session.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunDelete(const Args& args) {
  if (args.words().empty())
    return WithRemedy(InvalidArgument("delete wants a session"), "for example: capsem delete box");
  const Connection connection = TRY(Connect());
  std::vector<v1::DeleteSessionRequest> requests;
  for (const std::string& session : args.words()) requests.emplace_back().set_session(session);
  return TellEach(args.words(), connection.client->Delete(requests), args);
}

}  // namespace

const Verb kDeleteVerb = {
    .name = "delete",
    .alias = "rm",
    .synopsis = "[OPTION…] SESSION…",
    .summary = "End machines at once and remove sessions with all they hold.",
    .about = "",
    .options = {{"-q, --quiet", "", "do not print what was deleted"}, kJsonOption},
    .example = "  capsem delete box\n  capsem delete $(capsem list -q)",
    .failures =
        "  3: there is no such session: see `capsem list`\n"
        "  2: neither an id nor a name can look like that\n"
        "  6: the service could not be started: the message names its log",
    .run = RunDelete,
};

}  // namespace capsem::cli
