#include <unistd.h>

#include "commands.h"
#include "connection.h"
#include "guest_command.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

// The image says which shells there are.
constexpr char kShellLine[] =
    "if command -v bash >/dev/null; then exec bash -l; else exec sh -l; fi";

Status CheckWords(const Args& args) {
  if (args.words().size() > 1) {
    return WithRemedy(InvalidArgument("shell takes one session and no command"),
                      "for example: capsem exec -it box -- python3");
  }
  if (args.words().empty()) return OkStatus();
  if (args.words().front().empty())
    return WithRemedy(InvalidArgument("the session's name is empty"),
                      "leave it out for a new session");
  for (const char* option : {"--image", "--cpus", "--memory", "--ram"}) {
    if (!args.Flag(option)) continue;
    return WithRemedy(InvalidArgument("{} is for a new session", option),
                      "leave it out, or the session");
  }
  return OkStatus();
}

StatusOr<int> RunShell(const Args& args) {
  TRY(CheckWords(args));
  v1::ExecStart start;
  start.set_shell(kShellLine);
  TRY(FillOptions(args, start));
  start.set_stdin_open(true);
  if (isatty(STDIN_FILENO) == 1) AddTerminal(start);
  v1::ExecInput first;
  if (args.words().empty()) {
    *first.mutable_run()->mutable_session() = TRY(MachineOf(args));
    *first.mutable_run()->mutable_exec() = start;
  } else {
    start.set_session(args.words().front());
    *first.mutable_start() = start;
  }
  const Connection connection = TRY(Connect());
  return RunGuestCommand(connection, args, std::move(first));
}

}  // namespace

const Verb kShellVerb = {
    .name = "shell",
    .alias = "",
    .synopsis = "[OPTION…] [SESSION]",
    .summary = "Work in a machine by hand: a shell at a terminal like this one.",
    .about =
        "Without a session: in a new one, which is deleted when the shell ends. Every key goes to\n"
        "the machine, Ctrl-C too. When stdin is no terminal, the shell reads its commands from "
        "it.\n"
        "Exits with the shell's own code.",
    .options = {kEnvOption,
                kCwdOption,
                kUserOption,
                kTimeoutOption,
                kImageOption,
                kCpusOption,
                kMemoryOption,
                kRamOption,
                {"-q, --quiet", "", "no warnings"}},
    .example = "  capsem shell box\n  capsem shell --memory 2048",
    .failures =
        "  125: there is no such session, or it does not run: see `capsem list`\n"
        "  125: there is no image yet: run `capsem image build`\n"
        "  125: the session's image is older than terminals are: `capsem image build`, a new "
        "session",
    .runs_command = true,
    .run = RunShell,
};

}  // namespace capsem::cli
