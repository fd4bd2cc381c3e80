#include "guest_command.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "command_answer.h"
#include "interrupts.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"
#include "remote_command.h"
#include "wire/exit_code.h"

namespace capsem::cli {
namespace {

constexpr std::chrono::hours kMaxTimeout{7 * 24};  // execs.proto

// A terminal is a person's, who has not asked for it; /dev/null has nothing to forward.
bool ForwardsStdin(bool asked) {
  struct stat found {};
  if (fstat(STDIN_FILENO, &found) != 0) return false;
  if (S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3)) return false;
  return asked || isatty(STDIN_FILENO) == 0;
}

Status PrintStarted(const v1::ExecStarted& started, bool json) {
  return WriteStdout(json ? JsonText(ToJson(started)) : fmt::format("{}\n", started.exec()));
}

}  // namespace

Status FillStart(const Args& args, size_t skip, v1::ExecStart& start) {
  const std::vector<std::string> command(args.words().begin() + static_cast<ptrdiff_t>(skip),
                                         args.words().end());
  if (command.empty() || (command.size() == 1 && command[0].empty()))
    return WithRemedy(InvalidArgument("the command is empty"), "add --help to see examples");
  if (command.size() == 1) {
    start.set_shell(command[0]);
  } else {
    start.mutable_argv()->Add(command.begin(), command.end());
  }
  const auto timeout = TRY(args.Seconds("--timeout", kMaxTimeout));
  start.set_timeout_ms(timeout ? static_cast<uint32_t>(timeout->count()) : 0);
  start.set_cwd(args.Text("--cwd").value_or(""));
  start.set_stdin_open(ForwardsStdin(args.Flag("--stdin")));
  start.set_on_disconnect(v1::ON_DISCONNECT_KILL);
  return AddEnvironment(args, *start.mutable_env());
}

StatusOr<int> RunGuestCommand(const Connection& connection, const Args& args, v1::ExecInput first,
                              CollectEvents collect) {
  TRY(Client::CheckSize(first));
  Loop& loop = *connection.loop;
  Client& client = *connection.client;
  StatusOr<int> result = Internal("the command was not run");
  Status printed;
  CommandAnswer answer;
  const bool detach = first.has_start() && first.start().detach();
  const bool is_run = first.has_run();
  if (!collect && args.Flag("--json") && !detach)
    collect = [&](const v1::ExecEvent& event) { return answer.Add(event); };
  RemoteCommand command(
      loop,
      {.open =
           [&](CommandStream::Events events) {
             return is_run ? client.Run(std::move(events)) : client.Exec(std::move(events));
           },
       // An interrupt that comes too late finds no command; its end is told by the stream anyway.
       .signal =
           [&](const v1::SignalRequest& request) { client.Signal(request, [](const Status&) {}); }},
      std::move(first), {},
      {.on_started =
           [&](const v1::ExecStarted& started) {
             WriteStderr(IsolationWarning(started.isolation(), !is_run || args.Flag("--quiet")));
             if (detach) printed = PrintStarted(started, args.Flag("--json"));
           },
       .collect = std::move(collect),
       .on_end =
           [&](StatusOr<int> ended) {
             result = std::move(ended);
             loop.Stop();
           }});
  const auto interrupts = TRY(Interrupts::Create(loop, [&] { command.OnInterrupt(); }));
  loop.Run();
  TRY(printed);
  const auto json = answer.ToJson();
  if (result.ok() && json) TRY(WriteStdout(JsonText(*json)));
  return result;
}

}  // namespace capsem::cli
