#include <unistd.h>

#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

bool IsMeant(const v1::Session& session, bool all) {
  return all || session.kind() == v1::SESSION_KIND_EPHEMERAL;
}

// A line of the person at the terminal, its end included.
std::string ReadLine() {
  std::string line;
  for (char c = 0; c != '\n' && read(STDIN_FILENO, &c, 1) == 1;) line += c;
  return line;
}

Status Confirm(const v1::ListSessionsResponse& list, bool all) {
  std::string question;
  int count = 0;
  for (const v1::Session& session : list.sessions()) {
    if (!IsMeant(session, all)) continue;
    ++count;
    question += fmt::format("  {} {}\n", session.id(), Printable(session.name()));
  }
  if (count == 0) return OkStatus();
  question += fmt::format("Delete {} with all that {}? [y/N] ",
                          count == 1 ? "this session" : fmt::format("these {} sessions", count),
                          count == 1 ? "it holds" : "they hold");
  WriteStderr(question);
  const std::string answer = ReadLine();
  if (answer == "y\n" || answer == "Y\n" || answer == "yes\n") return OkStatus();
  return WithRemedy(Cancelled("nothing was deleted"), "answer y, or give -y");
}

StatusOr<int> RunPurge(const Args& args) {
  if (!args.words().empty()) {
    return WithRemedy(InvalidArgument("purge takes no {}", args.words().front()),
                      "`capsem delete` takes sessions");
  }
  const bool all = args.Flag("--all");
  const bool ask = !args.Flag("--yes");
  if (ask && !(isatty(STDIN_FILENO) && isatty(STDERR_FILENO))) {
    return WithRemedy(InvalidArgument("purge deletes sessions, and there is nobody to ask"),
                      "give -y if that is what you want");
  }
  const Connection connection = TRY(Connect());
  if (ask) TRY(Confirm(TRY(connection.client->List()), all));
  const v1::PurgeSessionsResponse purged = TRY(connection.client->Purge(all));
  std::string text;
  for (const std::string& session : purged.sessions()) text += session + '\n';
  if (args.Flag("--json")) {
    TRY(WriteStdout(JsonText(ToJson(purged))));
  } else if (!args.Flag("--quiet")) {
    TRY(WriteStdout(text));
  }
  return 0;
}

}  // namespace

const Verb kPurgeVerb = {
    .name = "purge",
    .alias = "",
    .synopsis = "[OPTION…]",
    .summary = "Delete every session that does not stay; with --all every session.",
    .about = "Asks before it does; where there is no terminal to ask on, it wants -y.",
    .options = {{"--all", "", "also those that stay, and those of running `capsem run`"},
                {"-y, --yes", "", "do not ask"},
                {"-q, --quiet", "", "do not print what was deleted"},
                kJsonOption},
    .example = "  capsem purge\n  capsem purge --all -y",
    .failures =
        "  2: there is no terminal to ask on: give -y\n"
        "  7: the question was not answered with y: nothing was deleted\n"
        "  6: the service could not be started: the message names its log",
    .run = RunPurge,
};

}  // namespace capsem::cli
