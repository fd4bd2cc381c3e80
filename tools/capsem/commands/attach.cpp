#include <charconv>

#include "commands.h"
#include "connection.h"
#include "guest_command.h"
#include "machine_options.h"

namespace capsem::cli {
namespace {

StatusOr<std::optional<uint64_t>> OffsetOf(const Args& args) {
  const std::optional<std::string> text = args.Text("--offset");
  if (!text) return std::optional<uint64_t>();
  uint64_t offset = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), offset);
  if (error == std::errc() && end == text->data() + text->size()) return offset;
  return WithRemedy(InvalidArgument("--offset {} is no number of bytes", *text),
                    "give a whole number, or leave it out for all output that there is");
}

StatusOr<int> RunAttach(const Args& args) {
  if (args.words().size() != 2 || args.words().front().empty()) {
    return WithRemedy(InvalidArgument("attach wants a session and the number of a command"),
                      "for example: capsem attach box 3");
  }
  v1::ExecInput first;
  first.mutable_attach()->set_session(args.words().front());
  first.mutable_attach()->set_exec(TRY(ExecNumber(args.words().back())));
  if (const auto offset = TRY(OffsetOf(args))) first.mutable_attach()->set_offset(*offset);
  const Connection connection = TRY(Connect());
  return RunGuestCommand(connection, args, std::move(first));
}

}  // namespace

const Verb kAttachVerb = {
    .name = "attach",
    .alias = "",
    .synopsis = "[OPTION…] SESSION EXEC",
    .summary = "Read the output of a command that was started before, to its end.",
    .about =
        "EXEC is the number that `capsem exec -d` printed; `capsem ps` shows them. The last 64 "
        "MiB\n"
        "of output are kept. Several may read at once; the command waits for each of them. Ctrl-C\n"
        "leaves, and the command goes on. Exits with the command's own code.",
    .options = {{"--offset", "N",
                 "from this byte of its output on (default: the first that is kept)"},
                {"-i, --stdin", "", "forward stdin to the command"},
                {"-t, --tty", "",
                 "its terminal has the size of this one; with -i every key goes there"},
                {"-q, --quiet", "", "no warnings"},
                kJsonOption},
    .example =
        "  capsem attach box $(capsem exec -d box 'make test')\n"
        "  capsem attach --offset 1048576 box 3",
    .failures =
        "  125: there is no such command, or it is forgotten: `capsem ps SESSION` lists them\n"
        "  125: the offset is outside of what is kept: the message names the first one there is\n"
        "  125: the session is not running: what its commands printed went with its machine",
    .runs_command = true,
    .run = RunAttach,
};

}  // namespace capsem::cli
