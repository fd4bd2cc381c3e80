#include "guest_command.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <charconv>

#include "command_answer.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"
#include "remote_command.h"
#include "signal_watch.h"
#include "terminal.h"
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

// What is forwarded to the command: stdin, and the size of this program's terminal.
struct Forwarded {
  bool input;
  bool terminal;
};

Forwarded ForwardedTo(const v1::ExecInput& first, const Args& args) {
  if (first.has_attach()) return {args.Flag("--stdin"), args.Flag("--tty")};
  const v1::ExecStart& start = first.has_run() ? first.run().exec() : first.start();
  return {start.stdin_open(), start.has_pty() && !start.detach()};
}

// This program's terminal as the window of the command's: raw, when what is typed goes there.
struct OwnTerminal {
  Status Enter(Loop& loop, Forwarded forwarded, RemoteCommand& command) {
    if (!forwarded.terminal) return OkStatus();
    if (forwarded.input && isatty(STDIN_FILENO) == 1) raw = TRY(RawTerminal::Create(STDIN_FILENO));
    const auto resize = [&command] {
      if (const auto size = OwnTerminalSize()) command.Resize(*size);
    };
    resized = TRY(SignalWatch::Create(loop, SIGWINCH, resize));
    continued = TRY(SignalWatch::Create(loop, SIGCONT, [this, resize] {
      if (raw) raw->Enter();
      resize();
    }));
    resize();
    return OkStatus();
  }
  std::unique_ptr<RawTerminal> raw;
  std::unique_ptr<SignalWatch> resized, continued;
};

}  // namespace

StatusOr<uint64_t> ExecNumber(const std::string& word) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc() && end == word.data() + word.size() && number > 0) return number;
  return WithRemedy(InvalidArgument("{} is no number of a command", word),
                    "`capsem ps SESSION` shows the numbers");
}

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
  return FillOptions(args, start);
}

Status FillOptions(const Args& args, v1::ExecStart& start) {
  const auto timeout = TRY(args.Seconds("--timeout", kMaxTimeout));
  start.set_timeout_ms(timeout ? static_cast<uint32_t>(timeout->count()) : 0);
  start.set_cwd(args.Text("--cwd").value_or(""));
  start.set_stdin_open(ForwardsStdin(args.Flag("--stdin")));
  start.set_on_disconnect(v1::ON_DISCONNECT_KILL);
  start.set_uid(TRY(args.Number("--user")).value_or(0));
  if (args.Flag("--tty")) AddTerminal(start);
  return AddEnvironment(args, *start.mutable_env());
}

void AddTerminal(v1::ExecStart& start) {
  start.mutable_pty()->set_term(OwnTerminalName());
  if (const auto size = OwnTerminalSize()) *start.mutable_pty()->mutable_size() = *size;
}

StatusOr<int> RunGuestCommand(const Connection& connection, const Args& args, v1::ExecInput first,
                              CollectEvents collect) {
  TRY(Client::CheckSize(first));
  const Forwarded forwarded = ForwardedTo(first, args);
  Loop& loop = *connection.loop;
  Client& client = *connection.client;
  StatusOr<int> result = Internal("the command was not run");
  Status printed;
  CommandAnswer answer;
  OwnTerminal terminal;
  const bool detach = first.start().detach();
  const bool is_run = first.has_run();
  const bool is_attach = first.has_attach();
  if (!collect && args.Flag("--json") && !detach)
    collect = [&](const v1::ExecEvent& event) { return answer.Add(event); };
  RemoteCommand command(
      loop,
      {.open =
           [&](CommandStream::Events events) {
             if (is_attach) return client.Attach(std::move(events));
             return is_run ? client.Run(std::move(events)) : client.Exec(std::move(events));
           },
       // An interrupt that comes too late finds no command; its end is told by the stream anyway.
       .signal =
           [&](const v1::SignalRequest& request) { client.Signal(request, [](const Status&) {}); }},
      std::move(first), {forwarded.input ? STDIN_FILENO : -1, STDOUT_FILENO, STDERR_FILENO},
      {.on_started =
           [&](const v1::ExecStarted& started) {
             WriteStderr(IsolationWarning(started.isolation(), !is_run || args.Flag("--quiet")));
             printed = detach ? PrintStarted(started, args.Flag("--json"))
                              : terminal.Enter(loop, forwarded, command);
           },
       .collect = std::move(collect),
       .on_end =
           [&](StatusOr<int> ended) {
             result = std::move(ended);
             loop.Stop();
           }});
  const auto interrupts = TRY(SignalWatch::Create(loop, SIGINT, [&] { command.OnInterrupt(); }));
  loop.Run();
  TRY(printed);
  const auto json = answer.ToJson();
  if (result.ok() && json) TRY(WriteStdout(JsonText(*json)));
  return result;
}

}  // namespace capsem::cli
