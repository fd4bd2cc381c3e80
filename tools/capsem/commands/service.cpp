#include <unistd.h>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "connection.h"
#include "installation.h"
#include "machine_options.h"
#include "output.h"
#include "service_starter.h"

namespace capsem::cli {
namespace {

StatusOr<int> RunServiceRun(const Args& args) {
  TRY(NoWords(args, "service run"));
  const std::string program = TRY(Installation::Find()).Service();
  const char* argv[] = {program.c_str(), "--foreground", nullptr};
  execv(program.c_str(), const_cast<char* const*>(argv));
  return FromErrno("start {}", program);
}

Status TellStopped(const Args& args, bool stopped) {
  if (args.Flag("--json")) return WriteStdout(JsonText({{"stopped", stopped}}));
  if (stopped || args.Flag("--quiet")) return OkStatus();
  return WriteStdout("capsem-service is not running\n");
}

StatusOr<int> RunServiceStop(const Args& args) {
  TRY(NoWords(args, "service stop"));
  const Connection connection = TRY(ConnectIfRunning());
  if (!connection.client) {
    TRY(TellStopped(args, false));
    return 0;
  }
  ServiceEnd end(connection.dir);
  const Status told = connection.client->Shutdown();
  // It may have gone before its answer had.
  if (!told.ok() && ServiceRuns(connection.dir)) return told;
  end.Await();
  TRY(TellStopped(args, true));
  return 0;
}

}  // namespace

const Verb kServiceRunVerb = {
    .name = "service run",
    .alias = "",
    .synopsis = "",
    .summary = "Be the service, in the foreground; its log goes to stderr.",
    .about =
        "Other verbs start it by themselves, in the background. One service per user: a second\n"
        "one says so and exits with 0. On SIGTERM and Ctrl-C it leaves the machines to the next\n"
        "service; when none comes within orphan_lease_s (`capsem config show`; 10 s), sessions\n"
        "that stay are stopped and the others are gone.",
    .options = {},
    .example = "  capsem service run",
    .failures =
        "  8: a folder cannot be written: set CAPSEM_HOME to one that can\n"
        "  4: neither HOME nor CAPSEM_HOME is set: set one\n"
        "  3: capsem-service does not lie beside capsem: run it from build/bin",
    .run = RunServiceRun,
};

const Verb kServiceStopVerb = {
    .name = "service stop",
    .alias = "",
    .synopsis = "[OPTION…]",
    .summary = "End every session, then the service.",
    .about =
        "Sessions that stay are powered off, the others are gone. Returns when the service is\n"
        "gone. With --json: whether there was one to stop. To replace it and keep the machines\n"
        "running, send it SIGTERM instead: the next service takes them over.",
    .options = {{"-q, --quiet", "", "say nothing"}, kJsonOption},
    .example = "  capsem service stop",
    .failures =
        "  6: the service went away meanwhile: nothing is left to do\n"
        "  8: another user's service: set CAPSEM_HOME to a folder of your own\n"
        "  4: neither HOME nor CAPSEM_HOME is set: set one",
    .run = RunServiceStop,
};

}  // namespace capsem::cli
