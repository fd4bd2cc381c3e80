#include "session/exec_spec.h"

#include <algorithm>
#include <string>

#include "session/session_spec.h"
#include "wire/ids.h"
#include "wire/limits.h"

namespace capsem::service {
namespace {

constexpr uint32_t kMaxTimeoutMs = 7u * 24 * 3600 * 1000;  // 7 days (execs.proto)
constexpr uint32_t kMaxSignal = 64;                        // SIGRTMAX
constexpr char kUseAFile[] = "write the data to the command's stdin, or to a file in the session";

Status CheckText(std::string_view text, std::string_view what) {
  if (text.find('\0') != std::string_view::npos) {
    return WithRemedy(InvalidArgument("{} has a NUL in it", what), kUseAFile);
  }
  if (text.size() <= wire::kMaxArgBytes) return OkStatus();
  return WithRemedy(InvalidArgument("{} has {} bytes: Linux takes {} at most", what, text.size(),
                                    wire::kMaxArgBytes),
                    kUseAFile);
}

Status CheckArgv(const capsem::v1::ExecStart& start) {
  if (start.argv(0).empty()) {
    return WithRemedy(InvalidArgument("the program's name is empty"), "give the program to run");
  }
  if (static_cast<size_t>(start.argv_size()) > wire::kMaxArgs) {
    return WithRemedy(
        InvalidArgument("{} arguments: {} are the most", start.argv_size(), wire::kMaxArgs),
        kUseAFile);
  }
  size_t bytes = 0;
  for (int i = 0; i < start.argv_size(); ++i) {
    TRY(CheckText(start.argv(i), fmt::format("argument {}", i)));
    bytes += start.argv(i).size() + 1;
  }
  if (bytes <= wire::kMaxArgvBytes) return OkStatus();
  return WithRemedy(
      InvalidArgument("arguments of {} bytes: {} are the most", bytes, wire::kMaxArgvBytes),
      kUseAFile);
}

Status CheckPty(const capsem::v1::Pty& pty) {
  TRY(CheckSize(pty.size()));
  const bool printable =
      std::all_of(pty.term().begin(), pty.term().end(), [](char c) { return c > ' ' && c < 127; });
  if (printable && pty.term().size() <= wire::kMaxTermBytes) return OkStatus();
  return WithRemedy(
      InvalidArgument("the terminal's name is not one of at most {} letters", wire::kMaxTermBytes),
      "give one as in $TERM, for example xterm-256color");
}

}  // namespace

Status CheckExec(const capsem::v1::ExecStart& start) {
  const bool has_argv = start.argv_size() > 0;
  const bool has_shell = !start.shell().empty();
  if (has_argv == has_shell) {
    return WithRemedy(
        InvalidArgument("{}", has_argv ? "both argv and a shell line" : "an empty command"),
        "give a program with its arguments, or one line for the shell");
  }
  TRY(has_argv ? CheckArgv(start) : CheckText(start.shell(), "the shell line"));
  TRY(CheckEnv(start.env()));
  TRY(CheckText(start.cwd(), "the working directory"));
  if (start.has_pty()) TRY(CheckPty(start.pty()));
  if (start.uid() == UINT32_MAX) {
    return WithRemedy(InvalidArgument("there is no user {}", start.uid()),
                      "give a number from 0 to 4294967294");
  }
  if (!start.cwd().empty() && start.cwd()[0] != '/') {
    return WithRemedy(InvalidArgument("the working directory {} is relative", start.cwd()),
                      "give a path in the session that starts with /");
  }
  if (start.timeout_ms() <= kMaxTimeoutMs) return OkStatus();
  return WithRemedy(InvalidArgument("a timeout of {} ms: 7 days are the most", start.timeout_ms()),
                    "leave the timeout out (0) for a command without a limit");
}

Status CheckSize(const capsem::v1::TerminalSize& size) {
  if (std::max(size.rows(), size.cols()) <= wire::kMaxTerminalSide) return OkStatus();
  return WithRemedy(InvalidArgument("a terminal of {} rows and {} columns: {} are the most of each",
                                    size.rows(), size.cols(), wire::kMaxTerminalSide),
                    "give the size of the terminal that shows it");
}

Status CheckSignal(uint32_t signal) {
  if (signal >= 1 && signal <= kMaxSignal) return OkStatus();
  return WithRemedy(InvalidArgument("there is no signal {}", signal),
                    "give a number from 1 to 64: 2 = INT, 9 = KILL, 15 = TERM");
}

Status CheckSessionKey(std::string_view id_or_name) {
  if (SessionId::Parse(id_or_name).ok()) return OkStatus();
  const auto name = SessionName::Parse(id_or_name);
  if (name.ok()) return OkStatus();
  return WithRemedy(name.status(), "`capsem list` shows the ids and names there are");
}

}  // namespace capsem::service
