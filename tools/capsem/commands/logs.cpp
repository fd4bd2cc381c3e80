#include <optional>

#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "output.h"

namespace capsem::cli {
namespace {

StatusOr<v1::LogSource> SourceOf(const Args& args) {
  const std::optional<std::string> source = args.Text("--source");
  if (source && args.Flag("--serial"))
    return WithRemedy(InvalidArgument("--source and --serial say the same"), "give one of them");
  if (args.Flag("--serial") || source == "serial") return v1::LOG_SOURCE_SERIAL;
  if (source == "process") return v1::LOG_SOURCE_PROCESS;
  if (source == "service") return v1::LOG_SOURCE_SERVICE;
  if (!source) return v1::LOG_SOURCE_UNSPECIFIED;
  return WithRemedy(InvalidArgument("there is no log called {}", *source),
                    "--source is service, process or serial");
}

StatusOr<v1::LogsRequest> RequestOf(const Args& args) {
  if (args.words().size() > 1)
    return WithRemedy(InvalidArgument("logs takes one session"),
                      "for example: capsem logs box --serial");
  // An empty variable of a script must not turn into the service's own log.
  if (!args.words().empty() && args.words().front().empty())
    return WithRemedy(InvalidArgument("the session's name is empty"),
                      "leave it out for the service's log");
  v1::LogsRequest request;
  request.set_source(TRY(SourceOf(args)));
  if (!args.words().empty()) request.set_session(args.words().front());
  const bool of_session =
      request.source() == v1::LOG_SOURCE_SERIAL || request.source() == v1::LOG_SOURCE_PROCESS;
  if (of_session && args.words().empty())
    return WithRemedy(InvalidArgument("{} wants a session",
                                      args.Flag("--serial") ? std::string("--serial")
                                                            : "--source " + *args.Text("--source")),
                      "for example: capsem logs box --serial");
  request.set_tail(TRY(args.Count("--tail")).value_or(0));
  request.set_follow(args.Flag("--follow"));
  return request;
}

Status Print(const v1::LogChunk& chunk) {
  if (chunk.dropped() > 0) {
    WriteStderr(
        fmt::format("capsem: the log went on faster than it was printed: {} bytes or more may be "
                    "missing here\n",
                    chunk.dropped()));
  }
  return WriteStdout(chunk.data());
}

StatusOr<int> RunLogs(const Args& args) {
  const v1::LogsRequest request = TRY(RequestOf(args));
  const Connection connection = TRY(Connect());
  TRY(connection.client->Logs(request, Print));
  return 0;
}

}  // namespace

const Verb kLogsVerb = {
    .name = "logs",
    .alias = "",
    .synopsis = "[OPTION…] [SESSION]",
    .summary = "Print a log: of the service, of a session, of its console.",
    .about =
        "Without a session: the service's; with one: that of the process that runs its machine,\n"
        "or with --source service what the service says of that session.\n"
        "Lines are JSON, but for the console, which is what the guest printed, bytes and all.\n"
        "Logs are bounded: the service's to its last 8 to 16 MiB, a session's to 1 to 2 MiB, its\n"
        "console's to 4 to 8 MiB, of which a flood gets 1 MiB each second. --follow ends when\n"
        "the session is deleted, with 0, or at Ctrl-C. What may be missing, when it comes faster "
        "than\n"
        "it is printed, is told on stderr.",
    .options = {{"--source", "LOG", "service, process or serial"},
                {"--serial", "", "the same as --source serial: the machine's console"},
                {"--tail", "N", "only the last lines"},
                {"-f, --follow", "", "and what is written from then on"},
                {"--json", "", "errors as JSON"}},
    .example = "  capsem logs box --serial --tail 20 --follow\n  capsem logs",
    .failures =
        "  3: there is no such session: see `capsem list`\n"
        "  2: neither an id nor a name can look like that\n"
        "  6: the service could not be started, or it went away while its log was followed",
    .run = RunLogs,
};

}  // namespace capsem::cli
