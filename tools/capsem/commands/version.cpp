#include <nlohmann/json.hpp>

#include "commands.h"
#include "connection.h"
#include "machine_options.h"
#include "message_json.h"
#include "output.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunVersion(const Args& args) {
  TRY(NoWords(args, "version"));
  const Connection connection = TRY(ConnectIfRunning());
  StatusOr<v1::VersionResponse> service = NotFound("not running");
  if (connection.client) service = connection.client->Version();
  if (args.Flag("--json")) {
    nlohmann::ordered_json json = {{"version", CAPSEM_VERSION}, {"service", nullptr}};
    if (service.ok()) json["service"] = ToJson(*service);
    TRY(WriteStdout(JsonText(json)));
    return 0;
  }
  const std::string served = service.ok() ? fmt::format("{} ({})", Printable(service->version()),
                                                        Printable(service->build()))
                                          : Printable(Message(service.status()));
  TRY(WriteStdout(KeyValues({{"capsem", CAPSEM_VERSION}, {"capsem-service", served}})));
  return 0;
}

}  // namespace

const Verb kVersionVerb = {
    .name = "version",
    .alias = "--version",
    .synopsis = "[OPTION…]",
    .summary = "The versions of this program and of the service, if it runs.",
    .about = "",
    .options = {kJsonOption},
    .example = "  capsem version",
    .failures =
        "  4: neither HOME nor CAPSEM_HOME is set: set one\n"
        "  2: the path of the state folder is too long: set CAPSEM_HOME to a shorter one\n"
        "  125: stdout cannot be written",
    .run = RunVersion,
};

}  // namespace capsem::cli
