#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "output.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunLogs(const Args& args) {
  if (args.words().size() > 1)
    return WithRemedy(InvalidArgument("logs takes one session"),
                      "for example: capsem logs box --serial");
  // An empty variable of a script must not turn into the service's own log.
  if (!args.words().empty() && args.words().front().empty())
    return WithRemedy(InvalidArgument("the session's name is empty"),
                      "leave it out for the service's log");
  v1::LogsRequest request;
  if (!args.words().empty()) request.set_session(args.words().front());
  if (args.Flag("--serial")) {
    if (args.words().empty())
      return WithRemedy(InvalidArgument("--serial wants a session"),
                        "for example: capsem logs box --serial");
    request.set_source(v1::LOG_SOURCE_SERIAL);
  }
  request.set_tail(TRY(args.Count("--tail")).value_or(0));
  const Connection connection = TRY(Connect());
  TRY(connection.client->Logs(request, WriteStdout));
  return 0;
}

}  // namespace

const Verb kLogsVerb = {
    .name = "logs",
    .alias = "",
    .synopsis = "[OPTION…] [SESSION]",
    .summary = "Print a log: of the service, of a session, of its console.",
    .about =
        "Without a session: the service's. Lines are JSON, but for the console, which is what the\n"
        "guest printed, bytes and all.",
    .options = {{"--serial", "", "the machine's console: its last 4 to 8 MiB"},
                {"--tail", "N", "only the last lines"},
                {"--json", "", "errors as JSON"}},
    .example = "  capsem logs box --serial --tail 20\n  capsem logs",
    .failures =
        "  3: there is no such session, or it has no log yet: see `capsem list`\n"
        "  2: neither an id nor a name can look like that\n"
        "  6: the service could not be started: the message names its log",
    .run = RunLogs,
};

}  // namespace capsem::cli
