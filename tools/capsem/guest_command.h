// What exec, run, shell and attach share: the command line of the guest's command, and the wait for
// its end.
#pragma once

#include "args.h"
#include "base/status.h"
#include "capsem/v1/execs.pb.h"
#include "connection.h"

namespace capsem::cli {

inline constexpr Option kTimeoutOption{"--timeout", "S", "end the command after so many seconds"};
inline constexpr Option kCwdOption{"-w, --cwd", "DIR",
                                   "where the command starts (default: /workspace)"};
inline constexpr Option kStdinOption{"-i, --stdin", "", "forward stdin although it is a terminal"};
inline constexpr Option kTtyOption{"-t, --tty", "", "give the command a terminal"};
inline constexpr Option kUserOption{"-u, --user", "UID",
                                    "run as this user, by number (default: 0, root)"};

// The number of a command.
StatusOr<uint64_t> ExecNumber(const std::string& word);
// From the words after `skip`: one is a line for the shell, several are an argv.
Status FillStart(const Args& args, size_t skip, v1::ExecStart& start);
// What does not depend on what the command is.
Status FillOptions(const Args& args, v1::ExecStart& start);
// A terminal like this program's own.
void AddTerminal(v1::ExecStart& start);

using CollectEvents = absl::AnyInvocable<Status(const v1::ExecEvent&)>;

// The code to exit with. `collect`, if there is one, takes what would be printed.
StatusOr<int> RunGuestCommand(const Connection& connection, const Args& args, v1::ExecInput first,
                              CollectEvents collect = {});

}  // namespace capsem::cli
