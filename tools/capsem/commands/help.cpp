#include "commands.h"
#include "output.h"

namespace capsem::cli {
namespace {

StatusOr<std::string> HelpFor(const std::vector<std::string>& words) {
  if (words.empty()) return HelpOfAll();
  const Found found = FindVerb(words);
  if (found.verb != nullptr && found.words == words.size()) return HelpOf(*found.verb);
  if (found.verb != nullptr) {
    return WithRemedy(
        InvalidArgument("{} is one verb, and {} no part of it", found.verb->name, words.back()),
        fmt::format("`capsem {} --help`", found.verb->name));
  }
  std::string group = HelpOfGroup(words[0]);
  if (!group.empty() && words.size() == 1) return group;
  return NoSuchVerb(words);
}

StatusOr<int> RunHelp(const Args& args) {
  TRY(WriteStdout(TRY(HelpFor(args.words()))));
  return 0;
}

}  // namespace

const Verb kHelpVerb = {
    .name = "help",
    .alias = "",
    .synopsis = "[VERB]",
    .summary = "What a verb does, with its options, an example and its commonest failures.",
    .about = "The same as `capsem VERB --help`. Without a verb: all verbs.",
    .options = {},
    .example = "  capsem help create\n  capsem help image build",
    .failures =
        "  2: there is no such verb: `capsem help` lists them\n"
        "  125: stdout cannot be written: a full disk, for example\n"
        "  141: what reads stdout has left (as every program ends then)",
    .run = RunHelp,
};

}  // namespace capsem::cli
