#include "commands.h"
#include "connection.h"
#include "guest_command.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

StatusOr<v1::WhenFull> WhenFullOf(const Args& args) {
  const std::string word = args.Text("--when-full").value_or("wait");
  if (word == "wait") return v1::WHEN_FULL_WAIT;
  if (word == "drop") return v1::WHEN_FULL_DROP;
  return WithRemedy(InvalidArgument("--when-full {} is neither wait nor drop", word),
                    "wait holds the command until somebody reads; drop forgets its oldest output");
}

StatusOr<int> RunExec(const Args& args) {
  if (args.words().empty() || args.words().front().empty()) {
    return WithRemedy(InvalidArgument("exec wants a session and a command"),
                      "for example: capsem exec box -- uname -a");
  }
  v1::ExecInput first;
  v1::ExecStart& start = *first.mutable_start();
  TRY(FillStart(args, 1, start));
  start.set_session(args.words().front());
  if (args.Flag("--detach")) {
    start.set_detach(true);
    start.set_on_disconnect(v1::ON_DISCONNECT_KEEP);
    start.set_stdin_open(false);
  }
  start.set_when_full(TRY(WhenFullOf(args)));
  const Connection connection = TRY(Connect());
  return RunGuestCommand(connection, args, std::move(first));
}

}  // namespace

const Verb kExecVerb = {
    .name = "exec",
    .alias = "",
    .synopsis = "[OPTION…] SESSION COMMAND [ARG…]",
    .summary = "Run a command in a session's machine.",
    .about =
        "One word is a line for the guest's shell; several are a program and its arguments. stdin\n"
        "is forwarded when it is no terminal. Ctrl-C interrupts the command, a second one kills "
        "it.\n"
        "Exits with the command's own code; 124 when --timeout ended it, 125 when Capsem failed.\n"
        "With -i -t it has a terminal like this one: every key goes there, Ctrl-C too.\n"
        "With --json: one document with its output and its end (at most 10 MiB of output).",
    .options = {kEnvOption,
                kTimeoutOption,
                kCwdOption,
                kUserOption,
                kStdinOption,
                kTtyOption,
                {"-d, --detach", "", "do not wait: print the command's number, let it run on"},
                {"--when-full", "WHAT",
                 "when exec_spool_mib of output wait unread: wait (default) or drop the oldest"},
                {"-q, --quiet", "", "no warnings"},
                kJsonOption},
    .example =
        "  capsem exec box -- python3 -c 'print(6*7)'\n"
        "  capsem exec -it box -- python3\n"
        "  capsem exec box 'ls /proc | wc -l'\n"
        "  tar c src | capsem exec box -- tar x -C /tmp",
    .failures =
        "  125: there is no such session, or it does not run: see `capsem list`\n"
        "  127: there is no such program in the image; 126: it cannot be executed\n"
        "  125: the machine died meanwhile: `capsem info SESSION` and `capsem logs` say why",
    .own_words = 1,
    .runs_command = true,
    .run = RunExec,
};

}  // namespace capsem::cli
