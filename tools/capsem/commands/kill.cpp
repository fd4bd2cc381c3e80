#include <signal.h>

#include <charconv>

#include "commands.h"
#include "connection.h"
#include "guest_command.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

// The signals that people send, with Linux's numbers.
struct Name {
  std::string_view name;
  uint32_t number;
};
constexpr Name kNames[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},  {"ABRT", SIGABRT}, {"KILL", SIGKILL},
    {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"ALRM", SIGALRM},  {"TERM", SIGTERM}, {"CONT", SIGCONT},
    {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"WINCH", SIGWINCH}};

StatusOr<uint32_t> SignalOf(const std::string& word) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc() && end == word.data() + word.size()) return number;
  const std::string_view bare =
      word.starts_with("SIG") ? std::string_view(word).substr(3) : std::string_view(word);
  for (const Name& known : kNames) {
    if (known.name == bare) return known.number;
  }
  return WithRemedy(InvalidArgument("there is no signal {}", word),
                    "give a number from 1 to 64, or a name as INT, TERM, KILL");
}

StatusOr<int> RunKill(const Args& args) {
  if (args.words().size() != 2 || args.words().front().empty()) {
    return WithRemedy(InvalidArgument("kill wants a session and the number of a command"),
                      "for example: capsem kill box 3");
  }
  v1::SignalRequest request;
  request.set_session(args.words().front());
  request.set_exec(TRY(ExecNumber(args.words().back())));
  request.set_signal(TRY(SignalOf(args.Text("--signal").value_or("TERM"))));
  const Connection connection = TRY(Connect());
  TRY(connection.client->SignalNow(request));
  return 0;
}

}  // namespace

const Verb kKillVerb = {
    .name = "kill",
    .alias = "",
    .synopsis = "[OPTION…] SESSION EXEC",
    .summary = "Send a signal to a command in a session.",
    .about =
        "EXEC is its number, as `capsem ps` shows it. The signal goes to the command's process\n"
        "group; KILL ends everything that the command has started, whatever that is.",
    .options = {{"-s, --signal", "SIGNAL", "a name or a number (default: TERM)"},
                {"--json", "", "errors as JSON"}},
    .example = "  capsem kill box 3\n  capsem kill -s KILL box 3",
    .failures =
        "  3: there is no such session, or no such command runs there: see `capsem ps SESSION`\n"
        "  4: the session is not running\n"
        "  2: there is no such signal",
    .run = RunKill,
};

}  // namespace capsem::cli
