#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

std::string TextOf(const v1::StatusResponse& status) {
  std::string text = KeyValues({
      {"service", fmt::format("{}, pid {}, since {}", Printable(status.version()), status.pid(),
                              TimeText(status.started_unix_ms()))},
      {"isolation",
       fmt::format("{} ({})", EnumText(*v1::Isolation_descriptor(), status.isolation()),
                   Printable(status.accelerator()))},
      {"kvm", Printable(status.kvm())},
      {"qemu", status.qemu_version().empty() ? "missing" : Printable(status.qemu_version())},
      {"sessions",
       fmt::format("{} of {} running", status.sessions_running(), status.sessions_limit())},
      {"limits by", Printable(status.limits())},
      {"cgroup", Printable(status.cgroup())},
      {"state", Printable(status.state_dir())},
      {"sockets", Printable(status.runtime_dir())},
      {"gateway", Printable(status.gateway())},
      {"free disk", Bytes(status.disk_free())},
  });
  for (const std::string& gap : status.gaps()) text += "not held back: " + Printable(gap) + '\n';
  for (const std::string& problem : status.problems())
    text += "problem: " + Printable(problem) + '\n';
  return text;
}

StatusOr<int> RunStatus(const Args& args) {
  if (!args.words().empty())
    return WithRemedy(InvalidArgument("status takes no {}", args.words().front()),
                      "for one session: capsem info SESSION");
  const Connection connection = TRY(Connect());
  const v1::StatusResponse status = TRY(connection.client->GetStatus());
  TRY(WriteStdout(args.Flag("--json") ? JsonText(ToJson(status)) : TextOf(status)));
  return 0;
}

}  // namespace

const Verb kStatusVerb = {
    .name = "status",
    .alias = "",
    .synopsis = "[OPTION…]",
    .summary = "The service and this host: isolation, KVM, QEMU, limits, disk, problems.",
    .about = "Starts the service when it is not running. With --json: its pid, too.",
    .options = {kJsonOption},
    .example = "  capsem status",
    .failures =
        "  6: the service could not be started: the message names its log\n"
        "  8: a folder cannot be written: set CAPSEM_HOME to one that can\n"
        "  4: neither HOME nor CAPSEM_HOME is set: set one",
    .run = RunStatus,
};

}  // namespace capsem::cli
