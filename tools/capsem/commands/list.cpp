#include "base/clock.h"
#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

std::string TableOf(const v1::ListSessionsResponse& list) {
  Table table({"ID", "NAME", "STATE", "CPUS", "MEMORY", "ISOLATION", "IMAGE", "AGE"});
  for (const v1::Session& session : list.sessions()) {
    table.Add({session.id(), Printable(session.name()),
               EnumText(*v1::SessionState_descriptor(), session.state()),
               std::to_string(session.cpus()), fmt::format("{} MiB", session.memory_mib()),
               EnumText(*v1::Isolation_descriptor(), session.isolation()),
               Printable(session.image()), Age(session.created_unix_ms(), Clock::WallMillis())});
  }
  return table.ToString();
}

StatusOr<int> RunList(const Args& args) {
  TRY(NoWords(args, "list"));
  const Connection connection = TRY(Connect());
  const v1::ListSessionsResponse list = TRY(connection.client->List());
  std::string text;
  if (args.Flag("--json")) {
    text = JsonText(ToJson(list)["sessions"]);
  } else if (args.Flag("--quiet")) {
    for (const v1::Session& session : list.sessions()) text += session.id() + '\n';
  } else {
    text = TableOf(list);
  }
  TRY(WriteStdout(text));
  return 0;
}

}  // namespace

const Verb kListVerb = {
    .name = "list",
    .alias = "ls",
    .synopsis = "[OPTION…]",
    .summary = "List the sessions.",
    .about = "",
    .options = {{"-q, --quiet", "", "ids only"}, kJsonOption},
    .example = "  capsem list\n  capsem delete $(capsem list -q)",
    .failures =
        "  6: the service could not be started: the message names its log\n"
        "  8: another user's service: set CAPSEM_HOME to a folder of your own\n"
        "  4: neither HOME nor CAPSEM_HOME is set: set one",
    .run = RunList,
};

}  // namespace capsem::cli
