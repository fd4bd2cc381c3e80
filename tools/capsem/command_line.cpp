#include "command_line.h"

#include <algorithm>

#include "args.h"
#include "commands.h"
#include "lost_output.h"
#include "output.h"
#include "wire/exit_code.h"

namespace capsem::cli {
namespace {

bool AsksForHelp(const std::string& word) { return word == "--help" || word == "-h"; }

// The last word of a program that has failed, and its exit code.
int Complain(const Status& status, bool json) {
  EndIfReaderLeft(status);
  WriteStderr(ErrorText(status, json));
  return ExitCode(status);
}

int Help(const std::string& text) {
  const Status written = WriteStdout(text);
  return written.ok() ? kExitOk : Complain(written, false);
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
  const int failed = Complain(code.status(), json);
  return verb.runs_command ? kExitOurs : failed;
}

int RunGroup(const std::vector<std::string>& words, bool json) {
  const std::string help = HelpOfGroup(words[0]);
  if (words.size() > 1 && AsksForHelp(words[1])) return Help(help);
  const bool has_verb = words.size() > 1 && words[1] != "--json";
  if (has_verb) return Complain(NoSuchVerb(words), json);
  if (!json) WriteStderr(help);
  return Complain(WithRemedy(InvalidArgument("{} wants a verb", words[0]),
                             fmt::format("`capsem {} --help` lists them", words[0])),
                  json);
}

}  // namespace

int RunCommandLine(std::vector<std::string> words) {
  // Said before the verb it means the same as after it.
  const auto verb = std::find_if(words.begin(), words.end(),
                                 [](const std::string& word) { return word != "--json"; });
  const bool json_first = verb != words.begin();
  words.erase(words.begin(), verb);
  if (words.empty()) {
    if (json_first) return Complain(NoSuchVerb({}), true);
    WriteStderr(HelpOfAll());
    return kExitUsage;
  }
  if (AsksForHelp(words[0])) return Help(HelpOfAll());
  const Found found = FindVerb(words);
  if (found.verb != nullptr) {
    if (json_first) words.insert(words.begin() + static_cast<ptrdiff_t>(found.words), "--json");
    return RunVerb(found, words);
  }
  const bool json = json_first || std::find(words.begin(), words.end(), "--json") != words.end();
  if (!HelpOfGroup(words[0]).empty()) return RunGroup(words, json);
  return Complain(NoSuchVerb(words), json);
}

}  // namespace capsem::cli
