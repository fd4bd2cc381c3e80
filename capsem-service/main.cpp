// capsem-service: the daemon. One per state folder; a second one says so and leaves.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "app.h"
#include "base/log.h"
#include "config.h"
#include "guard/single_instance.h"
#include "ready_pipe.h"
#include "signal_watch.h"
#include "socket_wait.h"
#include "wire/exit_code.h"

namespace capsem::service {
namespace {

// A service that has the lock serves within a second; this is for one that starts on a very busy
// host.
constexpr std::chrono::seconds kOtherLimit{30};

Status LogToFile(const std::string& path) {
  const UniqueFd log(
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log.valid()) return FromErrno("open {}", path);
  if (dup2(log.get(), STDERR_FILENO) < 0) return FromErrno("log to {}", path);
  return OkStatus();
}

StatusOr<int> AwaitOther(Loop& loop, const Config& config) {
  Status answer;
  SocketWait wait(loop, config.dirs.ServiceSocket(), kOtherLimit, [&](const Status& status) {
    answer = status;
    loop.Stop();
  });
  loop.Run();
  TRY(answer);
  std::fprintf(stderr, "capsem-service: another service serves %s already\n",
               config.dirs.ServiceSocket().c_str());
  SayReady(config.ready_fd);
  return 0;
}

StatusOr<int> Run(int argc, char** argv) {
  SignalWatch::Block();
  const Config config = TRY(Config::FromArguments(argc, argv));
  TRY(config.dirs.Make());
  // Never destroyed: gRPC's threads may post to it until the process is gone.
  Loop& loop = *new Loop;
  const auto lock = TRY(SingleInstance::Acquire(config.dirs.ServiceLock()));
  if (!lock) return AwaitOther(loop, config);
  if (!config.foreground) TRY(LogToFile(config.dirs.ServiceLog()));
  log::Configure("capsem-service", "");
  const auto app = TRY(App::Create(loop, config));
  const auto signals = TRY(SignalWatch::Create(loop, [&app] { app->End([] {}); }));
  log::Info("serving", {{"socket", config.dirs.ServiceSocket()}, {"pid", getpid()}});
  SayReady(config.ready_fd);
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
