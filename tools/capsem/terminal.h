// The terminal that a person sits at: its size and name, and its keys as they are typed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "capsem/v1/execs.pb.h"

namespace capsem::cli {

// nullopt: none of stdout, stdin and stderr is a terminal.
std::optional<v1::TerminalSize> OwnTerminalSize();
// $TERM; "" when it is not set, or no name that the API takes.
std::string OwnTerminalName();

// While it exists, what is typed at the terminal comes byte by byte and unchanged, Ctrl-C too. The
// terminal gets its own ways back at the end of this, and before a signal ends or stops the
// program. One per program.
class RawTerminal {
 public:
  static StatusOr<std::unique_ptr<RawTerminal>> Create(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  // Again, after the program was stopped.
  void Enter();

 private:
  RawTerminal() = default;
};

}  // namespace capsem::cli
