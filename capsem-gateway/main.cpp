// capsem-gateway: HTTP on 127.0.0.1 for those who do not speak gRPC. A companion of capsem-service:
// it is started by it, and goes with it.
#include <unistd.h>

#include "app.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "config.h"
#include "guard/install.h"
#include "wire/run_dir.h"

namespace capsem::gateway {
namespace {

// Of gateway.log, and as much of the one before it.
constexpr size_t kLogBytes = size_t{1} << 20;

void SayReady(int fd, const std::string& url) {
  if (fd < 0) return;
  const UniqueFd pipe(fd);
  const std::string word = url + "\n";
  if (write(pipe.get(), word.data(), word.size()) < 0) log::Debug("nobody waits for us to listen");
}

StatusOr<int> Run(int argc, char** argv) {
  log::Configure("capsem-gateway", "");
  const Config config = TRY(Config::FromArguments(argc, argv));
  // Never destroyed: gRPC's threads may post to it until the process is gone.
  Loop& loop = *new Loop;
  RunDir dirs;
  dirs.runtime = config.run_dir;
  const auto guard = TRY(Guard::Install(loop, {config.parent, dirs.GatewayLock()}));
  if (!guard) return 0;
  if (!config.log.empty()) TRY(log::KeepIn(config.log, kLogBytes));
  const auto app = TRY(App::Create(loop, config));
  log::Info("serving", {{"url", app->url()}, {"pid", getpid()}});
  SayReady(config.ready_fd, app->url());
  loop.Run();
  return 0;
}

}  // namespace
}  // namespace capsem::gateway

int main(int argc, char** argv) {
  const auto code = capsem::gateway::Run(argc, argv);
  if (code.ok()) return *code;
  // A line of the log: who is started again every half minute, for months, must not fill the disk.
  capsem::log::Error("it cannot serve", {{"reason", capsem::Describe(code.status())}});
  return 1;
}
