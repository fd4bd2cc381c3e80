// The table of the CLI's verbs. Each lies in commands/, a file per verb, and is declared here: a
// verb is added by its file and its line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "args.h"
#include "base/status.h"

namespace capsem::cli {

struct Verb {
  std::string_view name;      // "list", or two words: "image build"
  std::string_view alias;     // "ls"; "" = none
  std::string_view synopsis;  // what stands after the name: "[OPTION…] SESSION COMMAND [ARG…]"
  std::string_view summary;   // one line, for the table of verbs
  std::string_view about;     // what is worth knowing beyond it
  std::vector<Option> options;
  std::string_view example;
  std::string_view failures;  // the three commonest, with what helps
  // After so many words the rest is the guest's command.
  size_t own_words = Args::kAllWords;
  // The exit code of exec and run is the guest command's: any failure of ours is 125 there.
  bool runs_command = false;
  // The exit code, or why there is none.
  StatusOr<int> (*run)(const Args& args);
};

const std::vector<Verb>& Verbs();

// The verb that the first one or two words name, and how many words that took; nullptr when none.
struct Found {
  const Verb* verb = nullptr;
  size_t words = 0;
};
Found FindVerb(const std::vector<std::string>& words);

std::string HelpOf(const Verb& verb);
std::string HelpOfAll();
// The verbs of a group ("image", "service"); "" when there is no such group.
std::string HelpOfGroup(std::string_view group);
// The error for words that name no verb.
Status NoSuchVerb(const std::vector<std::string>& words);

extern const Verb kAttachVerb, kConfigShowVerb, kConfigValidateVerb, kCpVerb, kCreateVerb,
    kDeleteVerb, kDoctorVerb, kExecVerb, kHelpVerb, kImageBuildVerb, kImageInspectVerb,
    kImageListVerb, kInfoVerb, kKillVerb, kListVerb, kLogsVerb, kPersistVerb, kPsVerb, kPurgeVerb,
    kRenameVerb, kRestartVerb, kRunVerb, kServiceRunVerb, kServiceStopVerb, kShellVerb, kStartVerb,
    kStatusVerb, kStopVerb, kVersionVerb;

}  // namespace capsem::cli
