#include <unistd.h>

#include <algorithm>
#include <array>

#include "command_answer.h"
#include "commands.h"
#include "connection.h"
#include "guest_command.h"
#include "host_checks.h"
#include "machine_options.h"
#include "output.h"

namespace capsem::cli {
namespace {

using Result = HostCheck::Result;

constexpr int kExitUnfit = 1;  // a check has failed; the guest's program has the same code
// "host", and what guest-programs/bin/capsem-doctor knows.
constexpr std::array<std::string_view, 7> kCategories = {
    "host", "sandbox", "environment", "utilities", "runtimes", "workflows", "lifecycle"};

Status CheckCategories(const std::vector<std::string>& chosen) {
  for (const std::string& category : chosen) {
    if (std::find(kCategories.begin(), kCategories.end(), category) != kCategories.end()) continue;
    return WithRemedy(InvalidArgument("-k {}: there is no such category", category),
                      fmt::format("one of {}", fmt::join(kCategories, ", ")));
  }
  return OkStatus();
}

std::string LineOf(const HostCheck& check) {
  constexpr std::string_view kWords[] = {"ok  ", "note", "FAIL"};
  std::string line =
      fmt::format("{}  host: {}\n", kWords[static_cast<size_t>(check.result)], check.sentence);
  for (const std::string& more : {check.cause, check.remedy}) {
    if (!more.empty()) line += "      " + Printable(more) + '\n';
  }
  return line;
}

nlohmann::ordered_json JsonOf(const HostCheck& check) {
  return {{"category", "host"},
          {"check", check.sentence},
          {"ok", check.result != Result::kFailed},
          {"note", check.result == Result::kNote},
          {"cause", check.cause},
          {"remedy", check.remedy}};
}

v1::ExecInput GuestDoctor(const std::vector<std::string>& categories, bool json) {
  v1::ExecInput first;
  first.mutable_run()->mutable_session();
  v1::ExecStart& start = *first.mutable_run()->mutable_exec();
  start.add_argv("capsem-doctor");
  for (const std::string& category : categories) {
    if (category == "host") continue;
    start.add_argv("-k");
    start.add_argv(category);
  }
  if (json) start.add_argv("--json");
  start.set_on_disconnect(v1::ON_DISCONNECT_KILL);
  return first;
}

// What capsem-doctor says in the guest, added to what is known of the host.
Status AddGuestChecks(const Connection& connection, const Args& args, v1::ExecInput guest,
                      nlohmann::ordered_json& checks) {
  std::string said;
  TRY(RunGuestCommand(connection, args, std::move(guest), [&said](const v1::ExecEvent& event) {
    said += event.stdout();
    return said.size() <= CommandAnswer::kMaxOutput ? OkStatus()
                                                    : Internal("capsem-doctor says too much");
  }));
  const auto parsed = nlohmann::ordered_json::parse(said, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("checks"))
    return Internal("capsem-doctor in the guest said: {}", said.substr(0, 200));
  for (const auto& check : parsed["checks"]) checks.push_back(check);
  return OkStatus();
}

StatusOr<int> TellAsJson(const nlohmann::ordered_json& checks) {
  const auto failed =
      std::count_if(checks.begin(), checks.end(), [](const auto& check) { return !check["ok"]; });
  TRY(WriteStdout(JsonText({{"checks", checks},
                            {"passed", checks.size() - static_cast<size_t>(failed)},
                            {"failed", failed}})));
  return failed == 0 ? 0 : kExitUnfit;
}

bool Chosen(const std::vector<std::string>& categories, std::string_view category) {
  return categories.empty() ||
         std::find(categories.begin(), categories.end(), category) != categories.end();
}

StatusOr<int> RunDoctor(const Args& args) {
  TRY(NoWords(args, "doctor"));
  const std::vector<std::string> categories = args.Texts("--category");
  TRY(CheckCategories(categories));
  const bool json = args.Flag("--json");
  const Connection connection = TRY(Connect());
  const v1::StatusResponse status = TRY(connection.client->GetStatus());
  const std::vector<HostCheck> host = JudgeHost(MeasureHost(*connection.client, status));
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  bool fit = true;
  for (const HostCheck& check : host) {
    fit = fit && check.result != Result::kFailed;
    if (check.result != Result::kFailed && !Chosen(categories, "host")) continue;
    checks.push_back(JsonOf(check));
    if (!json) TRY(WriteStdout(LineOf(check)));
  }
  // A machine that cannot start would only say the same again.
  if (!fit || categories == std::vector<std::string>{"host"}) {
    if (json) return TellAsJson(checks);
    return fit ? 0 : kExitUnfit;
  }
  v1::ExecInput guest = GuestDoctor(categories, json);
  if (!json) return RunGuestCommand(connection, args, std::move(guest));
  TRY(AddGuestChecks(connection, args, std::move(guest), checks));
  return TellAsJson(checks);
}

}  // namespace

const Verb kDoctorVerb = {
    .name = "doctor",
    .alias = "",
    .synopsis = "[OPTION…]",
    .summary = "Check this host, then a fresh machine from the inside.",
    .about =
        "First the host: image, memory, QEMU, folders. Then capsem-doctor in a machine that is\n"
        "made for it and deleted after it: sandbox, environment, utilities, runtimes, workflows,\n"
        "lifecycle. Each check is a line: ok, note, or FAIL with its cause and what helps.\n"
        "Exits with 0 when none has failed, 1 when one has, 125 when the machine could not run.",
    .options = {{"-k, --category", "CATEGORY", "these checks only; may be given again"},
                {"-q, --quiet", "", "no warnings"},
                kJsonOption},
    .example =
        "  capsem doctor\n"
        "  capsem doctor -k host -k sandbox --json",
    .failures =
        "  1: FAIL host: the image base is whole and signed: run `capsem image build`\n"
        "  1: FAIL host: there is memory for one more session: `capsem stop --all`\n"
        "  6: the service could not be started: the message names its log",
    .run = RunDoctor,
};

}  // namespace capsem::cli
