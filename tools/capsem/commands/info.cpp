#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

std::string Pid(uint32_t pid) { return pid == 0 ? "-" : std::to_string(pid); }

std::string TextOf(const v1::Session& session) {
  std::string text = KeyValues({
      {"id", session.id()},
      {"name", session.name().empty() ? "-" : Printable(session.name())},
      {"state", EnumText(*v1::SessionState_descriptor(), session.state())},
      {"reason", session.reason().empty() ? "-" : Printable(session.reason())},
      {"kept after stop", session.persistent() ? "yes" : "no"},
      {"isolation",
       fmt::format("{} ({})", EnumText(*v1::Isolation_descriptor(), session.isolation()),
                   Printable(session.accelerator()))},
      {"cpus", std::to_string(session.cpus())},
      {"memory", fmt::format("{} MiB", session.memory_mib())},
      {"disk", fmt::format("up to {} GiB", session.disk_gib())},
      {"limits by", Printable(session.limits())},
      {"cgroup", session.cgroup().empty() ? "-" : Printable(session.cgroup())},
      {"image",
       fmt::format("{} ({})", Printable(session.image()), Printable(session.image_digest()))},
      {"created", TimeText(session.created_unix_ms())},
      {"capsem-process", Pid(session.process_pid())},
      {"qemu", Pid(session.machine_pid())},
  });
  if (!session.console().empty()) text += "\nits console ended with:\n" + session.console();
  return text;
}

StatusOr<int> RunInfo(const Args& args) {
  if (args.words().size() != 1)
    return WithRemedy(InvalidArgument("info wants one session"), "for example: capsem info box");
  const Connection connection = TRY(Connect());
  const v1::Session session = TRY(connection.client->Get(args.words().front()));
  TRY(WriteStdout(args.Flag("--json") ? JsonText(ToJson(session)) : TextOf(session)));
  return 0;
}

}  // namespace

const Verb kInfoVerb = {
    .name = "info",
    .alias = "",
    .synopsis = "[OPTION…] SESSION",
    .summary = "Everything about one session; why it failed, if it did.",
    .about = "",
    .options = {kJsonOption},
    .example = "  capsem info box",
    .failures =
        "  3: there is no such session: see `capsem list`\n"
        "  2: neither an id nor a name can look like that\n"
        "  6: the service could not be started: the message names its log",
    .run = RunInfo,
};

}  // namespace capsem::cli
