#include "commands.h"

#include "output.h"

namespace capsem::cli {
namespace {

constexpr size_t kHelpIndent = 24;

std::string TwoColumns(std::string_view left, std::string_view right) {
  std::string line = "  " + std::string(left);
  line += line.size() + 2 > kHelpIndent ? "  " : std::string(kHelpIndent - line.size(), ' ');
  return line + std::string(right) + '\n';
}

std::string Title(const Verb& verb) {
  if (verb.alias.empty()) return std::string(verb.name);
  return fmt::format("{}, {}", verb.name, verb.alias);
}

}  // namespace

const std::vector<Verb>& Verbs() {
  // In the order of help.
  static const std::vector<Verb> verbs = {
      kRunVerb,          kCreateVerb,         kExecVerb,       kShellVerb,
      kPsVerb,           kAttachVerb,         kKillVerb,       kCpVerb,
      kListVerb,         kInfoVerb,           kLogsVerb,       kStopVerb,
      kStartVerb,        kRestartVerb,        kPersistVerb,    kRenameVerb,
      kDeleteVerb,       kPurgeVerb,          kImageBuildVerb, kImageListVerb,
      kImageInspectVerb, kStatusVerb,         kDoctorVerb,     kVersionVerb,
      kConfigShowVerb,   kConfigValidateVerb, kServiceRunVerb, kServiceStopVerb,
      kHelpVerb,
  };
  return verbs;
}

Found FindVerb(const std::vector<std::string>& words) {
  if (words.empty() || words[0].empty()) return {};
  for (const Verb& verb : Verbs()) {
    const bool one_word = verb.name.find(' ') == std::string_view::npos;
    if (one_word && (verb.name == words[0] || verb.alias == words[0])) return {&verb, 1};
    if (words.size() > 1 && verb.name == words[0] + " " + words[1]) return {&verb, 2};
  }
  return {};
}

std::string HelpOf(const Verb& verb) {
  std::string help =
      fmt::format("usage: capsem {} {}\n\n{}\n", verb.name, verb.synopsis, verb.summary);
  if (!verb.alias.empty()) help += fmt::format("Also: capsem {}\n", verb.alias);
  if (!verb.about.empty()) help += fmt::format("\n{}\n", verb.about);
  help += "\noptions:\n";
  for (const Option& option : verb.options) {
    const std::string left = option.value.empty()
                                 ? std::string(option.names)
                                 : fmt::format("{} {}", option.names, option.value);
    help += TwoColumns(left, option.help);
  }
  help += TwoColumns("-h, --help", "this");
  help += fmt::format("\nexample:\n{}\n\nwhen it fails:\n{}\n", verb.example, verb.failures);
  return help;
}

std::string HelpOfAll() {
  std::string help =
      "usage: capsem VERB [OPTION…] …\n\n"
      "Runs commands in virtual machines of their own.\n\n"
      "verbs:\n";
  for (const Verb& verb : Verbs()) help += TwoColumns(Title(verb), verb.summary);
  help +=
      "\n`capsem VERB --help`, or `capsem help VERB`, says more, with an example.\n"
      "\nexample:\n  capsem run -- sh -c 'uname -a'\n";
  return help;
}

std::string HelpOfGroup(std::string_view group) {
  std::string help;
  for (const Verb& verb : Verbs()) {
    if (verb.name.substr(0, group.size() + 1) == std::string(group) + " ")
      help += TwoColumns(verb.name, verb.summary);
  }
  return help.empty() ? "" : fmt::format("usage: capsem {} VERB …\n\nverbs:\n{}", group, help);
}

Status NoSuchVerb(const std::vector<std::string>& words) {
  constexpr const char* kRemedy = "`capsem --help` lists the verbs";
  if (words.empty()) return WithRemedy(InvalidArgument("a verb is wanted"), kRemedy);
  if (words[0].starts_with('-')) {
    return WithRemedy(InvalidArgument("there is no option {} before the verb", words[0]),
                      "options stand behind the verb: see `capsem VERB --help`");
  }
  const bool group = words.size() > 1 && !HelpOfGroup(words[0]).empty();
  const std::string name = group ? words[0] + " " + words[1] : words[0];
  return WithRemedy(InvalidArgument("there is no verb called {}", name),
                    group ? fmt::format("`capsem {} --help` lists them", words[0]) : kRemedy);
}

}  // namespace capsem::cli
