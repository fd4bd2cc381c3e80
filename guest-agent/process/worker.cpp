#include "process/worker.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/timer.h"

namespace capsem::agent {
namespace {

// Lives until both its process and its limit are done with: each callback holds it.
struct Worker {
  explicit Worker(Loop& loop) : limit(loop) {}
  Timer limit;
  absl::AnyInvocable<void(Status)> done;

  void Finish(Status status) {
    limit.Cancel();
    if (auto answer = std::exchange(done, nullptr)) answer(std::move(status));
  }
};

}  // namespace

void RunInWorker(Loop& loop, Reaper& reaper, std::chrono::milliseconds limit,
                 const std::function<int()>& work, absl::AnyInvocable<void(Status)> done) {
  auto worker = std::make_shared<Worker>(loop);
  worker->done = std::move(done);
  const pid_t pid = _Fork();
  if (pid == 0) _exit(work());
  if (pid < 0) {
    loop.Post([worker, why = FromErrno("fork")] { worker->Finish(why); });
    return;
  }
  reaper.Watch(pid, [worker](int wait_status) {
    if (WIFSIGNALED(wait_status)) return worker->Finish(Internal("a worker of the agent died"));
    const int error = WEXITSTATUS(wait_status);
    worker->Finish(error == 0 ? OkStatus() : ErrnoStatus(error, "a worker of the agent failed"));
  });
  worker->limit.Start(limit, [worker = worker.get(), pid, limit] {
    kill(pid, SIGKILL);
    worker->Finish(DeadlineExceeded("a worker of the agent took over {} ms", limit.count()));
  });
}

}  // namespace capsem::agent
