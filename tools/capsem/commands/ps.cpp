#include "base/clock.h"
#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

std::string StateOf(const v1::ExecInfo& exec) {
  if (exec.state() == v1::EXEC_STATE_EXITED) return fmt::format("exited ({})", exec.exit().code());
  return exec.held() ? "held" : EnumText(*v1::ExecState_descriptor(), exec.state());
}

// A shell line is shown as it was given.
std::string CommandOf(const v1::ExecInfo& exec) {
  const bool is_line = exec.argv_size() == 3 && exec.argv(0) == "/bin/sh" && exec.argv(1) == "-c";
  std::string text;
  for (int i = is_line ? 2 : 0; i < exec.argv_size(); ++i)
    text += (text.empty() ? "" : " ") + Printable(exec.argv(i));
  return exec.argv_cut() ? text + " …" : text;
}

std::string TableOf(const v1::ListExecsResponse& list) {
  Table table({"EXEC", "STATE", "OUTPUT", "READERS", "STARTED", "COMMAND"});
  for (const v1::ExecInfo& exec : list.execs()) {
    table.Add({std::to_string(exec.exec()), StateOf(exec), Bytes(exec.end_offset()),
               std::to_string(exec.readers()), Age(exec.started_unix_ms(), Clock::WallMillis()),
               CommandOf(exec)});
  }
  return table.ToString();
}

StatusOr<int> RunPs(const Args& args) {
  if (args.words().size() != 1 || args.words().front().empty())
    return WithRemedy(InvalidArgument("ps wants one session"), "for example: capsem ps box");
  const Connection connection = TRY(Connect());
  const v1::ListExecsResponse list = TRY(connection.client->ListExecs(args.words().front()));
  TRY(WriteStdout(args.Flag("--json") ? JsonText(ToJson(list)["execs"]) : TableOf(list)));
  return 0;
}

}  // namespace

const Verb kPsVerb = {
    .name = "ps",
    .alias = "",
    .synopsis = "[OPTION…] SESSION",
    .summary = "List a session's commands: those that run, and the last ones that have ended.",
    .about =
        "held: it has written exec_spool_mib (`capsem config show`; 64 MiB) that nobody has read,\n"
        "and waits; `capsem attach` reads them.\n"
        "Of those that have ended the last 256 are kept, with their output; fewer where that\n"
        "takes more than 1 GiB.",
    .options = {kJsonOption},
    .example = "  capsem ps box",
    .failures =
        "  3: there is no such session: see `capsem list`\n"
        "  4: the session is not running: its commands went with its machine\n"
        "  6: the machine died meanwhile: `capsem info SESSION` and `capsem logs` say why",
    .run = RunPs,
};

}  // namespace capsem::cli
