#include "commands.h"
#include "connection.h"
#include "guest_command.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunRun(const Args& args) {
  v1::ExecInput first;
  v1::RunStart& run = *first.mutable_run();
  TRY(FillStart(args, 0, *run.mutable_exec()));
  *run.mutable_session() = TRY(MachineOf(args));
  const Connection connection = TRY(Connect());
  return RunGuestCommand(connection, args, std::move(first));
}

}  // namespace

const Verb kRunVerb = {
    .name = "run",
    .alias = "",
    .synopsis = "[OPTION…] COMMAND [ARG…]",
    .summary = "Run a command in a new machine that is deleted when it ends.",
    .about =
        "One word is a line for the guest's shell; several are a program and its arguments. stdin\n"
        "is forwarded when it is no terminal. Ctrl-C interrupts the command, a second one kills "
        "it.\n"
        "Exits with the command's own code; 124 when --timeout ended it, 125 when Capsem failed.\n"
        "With -i -t it has a terminal like this one: every key goes there, Ctrl-C too.\n"
        "With --json: one document with its output and its end (at most 10 MiB of output).",
    .options = {kImageOption,
                kCpusOption,
                kMemoryOption,
                kRamOption,
                kDiskOption,
                kEnvOption,
                kTimeoutOption,
                kCwdOption,
                kUserOption,
                kStdinOption,
                kTtyOption,
                {"-q, --quiet", "", "no warnings"},
                kJsonOption},
    .example =
        "  capsem run -- sh -c 'uname -a; python3 -c \"print(6*7)\"'\n"
        "  capsem run --cpus 2 --timeout 60 'dmesg | tail'",
    .failures =
        "  125: there is no image yet: run `capsem image build`\n"
        "  125: ten sessions run already, or too little disk is free: `capsem list`, stop one\n"
        "  127: there is no such program in the image; 126: it cannot be executed",
    .own_words = 0,
    .runs_command = true,
    .run = RunRun,
};

}  // namespace capsem::cli
