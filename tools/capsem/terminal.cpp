#include "terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "wire/limits.h"

namespace capsem::cli {
namespace {

// For the handlers: they may come at any moment, and on any thread.
int terminal_fd = -1;
termios own_ways;

// All that ends a program, but SIGINT: that is heard on the loop.
constexpr int kDeadly[] = {SIGHUP,  SIGQUIT, SIGABRT, SIGBUS, SIGFPE,
                           SIGSEGV, SIGPIPE, SIGALRM, SIGTERM};

void GiveBack() { tcsetattr(terminal_fd, TCSANOW, &own_ways); }

// The default is back already (SA_RESETHAND), and does its work when this returns.
void OnDeadly(int signal) {
  GiveBack();
  raise(signal);
}

void OnStop(int) {
  const int error = errno;
  GiveBack();
  raise(SIGSTOP);
  errno = error;
}

void Handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  if (action.sa_handler == SIG_IGN) return;
  action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

}  // namespace

std::optional<v1::TerminalSize> OwnTerminalSize() {
  for (const int fd : {STDOUT_FILENO, STDIN_FILENO, STDERR_FILENO}) {
    winsize window{};
    if (ioctl(fd, TIOCGWINSZ, &window) != 0) continue;
    v1::TerminalSize size;
    size.set_rows(window.ws_row);
    size.set_cols(window.ws_col);
    return size;
  }
  return std::nullopt;
}

std::string OwnTerminalName() {
  const char* const name = getenv("TERM");
  const std::string text = name == nullptr ? "" : name;
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
  return printable && text.size() <= wire::kMaxTermBytes ? text : "";
}

StatusOr<std::unique_ptr<RawTerminal>> RawTerminal::Create(int fd) {
  ENSURE(terminal_fd < 0);
  if (tcgetattr(fd, &own_ways) != 0) return FromErrno("read the terminal's settings");
  terminal_fd = fd;
  for (const int signal : kDeadly) Handle(signal, OnDeadly, SA_RESETHAND);
  Handle(SIGTSTP, OnStop, SA_RESTART);
  std::unique_ptr<RawTerminal> terminal(new RawTerminal);
  terminal->Enter();
  return terminal;
}

void RawTerminal::Enter() {
  termios raw = own_ways;
  cfmakeraw(&raw);
  tcsetattr(terminal_fd, TCSANOW, &raw);
}

RawTerminal::~RawTerminal() {
  GiveBack();
  for (const int signal : kDeadly) Handle(signal, SIG_DFL, 0);
  Handle(SIGTSTP, SIG_DFL, 0);
  terminal_fd = -1;
}

}  // namespace capsem::cli
