#include <nlohmann/json.hpp>

#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"
#include "settings/settings.h"

namespace capsem::cli {
namespace {

std::string FromOf(const v1::Setting& setting) {
  if (setting.origin() == v1::Setting::ORIGIN_DEFAULT) return "default";
  std::string from = Printable(setting.place());
  if (setting.locked()) from += " (locked)";
  if (!setting.ignored().empty()) from += ", not " + Printable(setting.ignored());
  return from;
}

StatusOr<int> RunConfigShow(const Args& args) {
  TRY(NoWords(args, "config show"));
  const Connection connection = TRY(Connect());
  const v1::ConfigResponse config = TRY(connection.client->GetConfig());
  if (args.Flag("--json")) {
    TRY(WriteStdout(JsonText(ToJson(config))));
    return 0;
  }
  Table table({"KEY", "VALUE", "FROM", "MEANING"});
  for (const v1::Setting& setting : config.settings()) {
    table.Add({setting.key(), Printable(setting.value()), FromOf(setting), setting.help()});
  }
  TRY(WriteStdout(table.ToString()));
  return 0;
}

struct Checked {
  std::string file;
  bool there = false;
};

// Of the files that the service reads, one that is not there is as good as a good one.
StatusOr<std::vector<Checked>> CheckOwnFiles() {
  const SettingsFiles files = SettingsFiles::Of(TRY(RunDir::FromEnvironment()));
  std::vector<Checked> checked;
  for (const std::string& file : {files.config, files.corp}) {
    const Status status = CheckSettingsFile(file);
    if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
    checked.push_back({file, status.ok()});
  }
  return checked;
}

StatusOr<std::vector<Checked>> Check(const std::vector<std::string>& words) {
  if (words.empty()) return CheckOwnFiles();
  if (words.size() > 1)
    return WithRemedy(InvalidArgument("config validate takes one file"),
                      "for example: capsem config validate new.toml");
  TRY(CheckSettingsFile(words.front()));
  return std::vector<Checked>{{words.front(), true}};
}

StatusOr<int> RunConfigValidate(const Args& args) {
  const std::vector<Checked> checked = TRY(Check(args.words()));
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  std::string text;
  for (const Checked& one : checked) {
    json.push_back({{"file", one.file}, {"state", one.there ? "valid" : "absent"}});
    text += fmt::format("{}: {}\n", Printable(one.file), one.there ? "valid" : "not there");
  }
  TRY(WriteStdout(args.Flag("--json") ? JsonText(json) : text));
  return 0;
}

}  // namespace

const Verb kConfigShowVerb = {
    .name = "config show",
    .alias = "",
    .synopsis = "[OPTION…]",
    .summary = "The configuration that the service works by, key by key.",
    .about =
        "FROM says who has said it: nobody (default), your config.toml, or /etc/capsem/corp.toml,\n"
        "which wins and locks the key. config.toml lies in ~/.config/capsem, or in $CAPSEM_HOME; "
        "a\n"
        "line of it is `max_running = 4`. The service reads both files when it starts and at\n"
        "SIGHUP (`kill -HUP PID`). A bad file changes nothing: a service that runs goes on as it\n"
        "was, one that starts says what is wrong. With --json: also what each key may be.",
    .options = {kJsonOption},
    .example = "  capsem config show",
    .failures =
        "  6: the service cannot start by a bad file: the message has file, line and key\n"
        "  8: a folder cannot be written: set CAPSEM_HOME to one that can\n"
        "  4: neither HOME nor CAPSEM_HOME is set: set one",
    .run = RunConfigShow,
};

const Verb kConfigValidateVerb = {
    .name = "config validate",
    .alias = "",
    .synopsis = "[OPTION…] [FILE]",
    .summary = "Check the configuration before the service reads it.",
    .about =
        "Without FILE: those that the service reads, config.toml and /etc/capsem/corp.toml, of\n"
        "which neither has to be there. Needs no service, and starts none.",
    .options = {kJsonOption},
    .example = "  capsem config validate ~/.config/capsem/config.toml",
    .failures =
        "  2: no TOML, an unknown key, a value out of its range: the message has file and line\n"
        "  3: there is no such file\n"
        "  8: it cannot be read: `chmod u+r` it",
    .run = RunConfigValidate,
};

}  // namespace capsem::cli
