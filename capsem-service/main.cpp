// capsem-service: the daemon. One per state folder; a second one says so and leaves.
#include <unistd.h>

#include <cstdio>

#include "app.h"
#include "base/log.h"
#include "config.h"
#include "notify_socket.h"
#include "ready_pipe.h"
#include "settings/settings.h"
#include "signal_watch.h"
#include "supervise/machine_groups.h"
#include "turn.h"
#include "wire/exit_code.h"

namespace capsem::service {
namespace {

// Of service.log, and as much of the one before it: some ten thousand sessions' lives each.
constexpr size_t kLogBytes = size_t{8} << 20;

int Leave(const Config& config, const std::string& other) {
  std::fprintf(stderr, "capsem-service: %s\n", other.c_str());
  SayReady(config.ready_fd);
  TellSystemd("READY=1");
  return 0;
}

StatusOr<int> Run(int argc, char** argv) {
  SignalWatch::Block();
  const Config config = TRY(Config::FromArguments(argc, argv));
  if (config.lift_limits) {
    TRY(LiftLimits());
    return 0;
  }
  TRY(config.dirs.Make());
  // Never destroyed: gRPC's threads may post to it until the process is gone.
  Loop& loop = *new Loop;
  const Turn turn = TRY(TakeTurn(loop, config.dirs, CAPSEM_VERSION));
  if (!turn.lock) return Leave(config, turn.other);
  LoadedSettings settings = TRY(LoadSettings(SettingsFiles::Of(config.dirs)));
  log::Configure("capsem-service", "");
  if (!config.foreground) {
    // On a disk that cannot be written machines go on, too.
    const Status kept = log::KeepIn(config.dirs.ServiceLog(), kLogBytes);
    if (!kept.ok()) log::Warning("nothing is logged but what stderr takes", {{"reason", kept}});
  }
  const auto app = TRY(App::Create(loop, config, std::move(settings)));
  const auto signals = TRY(SignalWatch::Create(loop, SignalWatch::HangupOf(STDERR_FILENO),
                                               {.on_end =
                                                    [&app] {
                                                      TellSystemd("STOPPING=1");
                                                      app->HandOver();
                                                    },
                                                .on_reload = [&app] { app->Reload(); }}));
  log::Info("serving", {{"socket", config.dirs.ServiceSocket()}, {"pid", getpid()}});
  SayReady(config.ready_fd);
  TellSystemd("READY=1");
  loop.Run();
  log::Info("ended");
  return 0;
}

}  // namespace
}  // namespace capsem::service

int main(int argc, char** argv) {
  const auto code = capsem::service::Run(argc, argv);
  if (code.ok()) return *code;
  capsem::service::SayFailed(capsem::service::FindReadyFd(argc, argv), code.status());
  std::fprintf(stderr, "capsem-service: %s\n", capsem::Describe(code.status()).c_str());
  return capsem::ExitCode(code.status());
}
