#include "supervise/short_run.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "supervise/child_env.h"

namespace capsem::service {

ShortRun::ShortRun(Loop& loop, Spec spec, Done done)
    : loop_(loop), spec_(std::move(spec)), done_(std::move(done)), limit_(loop) {
  const Status started = Start();
  if (started.ok()) return;
  loop_.Post([self = weak_.Get(), started] {
    if (!self) return;
    auto told = std::move(self->done_);
    told(started);
  });
}

Status ShortRun::Start() {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return FromErrno("pipe");
  UniqueFd read_end(pipe_fds[0]);
  const UniqueFd write_end(pipe_fds[1]);
  ChildSpec child;
  child.program = spec_.program;
  child.args = spec_.args;
  child.env = ChildEnv(OwnEnvironment());
  child.stdout_fd = write_end.get();
  child.parent_death_signal = SIGKILL;
  child_ = TRY(Child::Spawn(loop_, std::move(child), [this](ExitReason reason) {
    exit_ = reason;
    TellWhenOver();
  }));
  ByteStream::Events events;
  events.on_bytes = [this](std::string_view bytes) {
    output_ += bytes.substr(0, spec_.max_output - output_.size());
  };
  events.on_end = [this](const Status&) {
    output_ended_ = true;
    TellWhenOver();
  };
  stream_ = std::make_unique<ByteStream>(loop_, std::move(read_end), std::move(events));
  limit_.Start(spec_.limit, [this] {
    too_slow_ = true;
    child_->Signal(SIGKILL);
  });
  return OkStatus();
}

void ShortRun::TellWhenOver() {
  if (!exit_ || !output_ended_) return;
  limit_.Cancel();
  auto done = std::move(done_);
  if (too_slow_) {
    return done(
        DeadlineExceeded("{} did not end within {} ms", spec_.program, spec_.limit.count()));
  }
  if (!exit_->clean()) {
    return done(Internal("{} ended with {}: {}", spec_.program, exit_->ToString(), output_));
  }
  done(std::move(output_));
}

}  // namespace capsem::service
