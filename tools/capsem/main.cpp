// capsem: the command line. Finds the verb, parses its options, runs it, tells its error; the rest
// is in commands/.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "args.h"
#include "commands.h"
#include "output.h"
#include "wire/exit_code.h"

namespace capsem::cli {
namespace {

Status UnknownVerb(const std::vector<std::string>& words) {
  const std::string group = HelpOfGroup(words[0]);
  if (!group.empty() && words.size() == 1) {
    WriteStderr(group);
    return WithRemedy(InvalidArgument("{} wants a verb", words[0]), "one of those above");
  }
  const std::string name = group.empty() ? words[0] : words[0] + " " + words[1];
  return WithRemedy(InvalidArgument("there is no verb called {}", name),
                    "`capsem --help` lists them");
}

int Help(const std::string& text) {
  const Status written = WriteStdout(text);
  if (!written.ok()) WriteStderr(ErrorText(written, false));
  return ExitCode(written);
}

int RunVerb(const Found& found, const std::vector<std::string>& words) {
  const Verb& verb = *found.verb;
  const std::vector<std::string> rest(words.begin() + static_cast<ptrdiff_t>(found.words),
                                      words.end());
  const StatusOr<Args> args = Args::Parse(rest, verb.options, verb.own_words);
  if (args.ok() && args->Flag("--help")) return Help(HelpOf(verb));
  // When the options cannot be understood, a --json among them still says who reads.
  const auto end = std::find(rest.begin(), rest.end(), "--");
  const bool json =
      args.ok() ? args->Flag("--json") : std::find(rest.begin(), end, "--json") != end;
  const StatusOr<int> code = args.ok() ? verb.run(*args) : args.status();
  if (code.ok()) return *code;
  WriteStderr(ErrorText(code.status(), json));
  return verb.runs_command ? kExitOurs : ExitCode(code.status());
}

int Main(const std::vector<std::string>& words) {
  if (words.empty()) {
    WriteStderr(HelpOfAll());
    return kExitUsage;
  }
  if (words[0] == "--help" || words[0] == "-h") return Help(HelpOfAll());
  const Found found = FindVerb(words);
  if (found.verb != nullptr) return RunVerb(found, words);
  const Status unknown = UnknownVerb(words);
  WriteStderr(ErrorText(unknown, false));
  return ExitCode(unknown);
}

}  // namespace
}  // namespace capsem::cli

// Descriptors 0 to 2 are never free, so that nothing of ours becomes somebody's stdin or stdout.
// Reading the stand-in is the end at once; writing it is an error. Libraries open descriptors in
// their constructors: this runs before those.
static void HoldStandardStreams() {
  int fd;
  do {
    fd = open("/dev/null", O_RDONLY);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) close(fd);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const kHoldStandardStreams)() = HoldStandardStreams;

int main(int argc, char** argv) {
  const int code = capsem::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
  // Not exit(): threads of gRPC may still be at the end of a call, and need what exit destroys.
  _exit(code);
}
