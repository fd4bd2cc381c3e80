#include "exec/spare_process.h"

namespace capsem::agent {
namespace {

// After a command has begun: most have ended by then, and their end makes the next spare.
constexpr std::chrono::milliseconds kQuiet{50};

}  // namespace

StatusOr<SpareProcess::Begun> SpareProcess::Run(const ExecSpec& spec) {
  MakeWhenQuiet();
  if (auto spare = spec.pty ? std::nullopt : Take()) {
    if (RunInProcess(spare->process, spec).ok()) return *std::move(spare);
  }
  Begun begun = TRY(Make(spec.pty));
  TRY(RunInProcess(begun.process, spec));
  return begun;
}

void SpareProcess::Stop() {
  refill_.Cancel();
  Take();
}

void SpareProcess::MakeSoon() {
  services_.loop.Post([self = weak_.Get()] {
    if (self && self->refill_.active()) self->Refill();
  });
}

void SpareProcess::MakeWhenQuiet() {
  refill_.Start(kQuiet, [this] { Refill(); });
}

void SpareProcess::Refill() {
  refill_.Cancel();
  if (spare_) return;
  // Without one, the next command says what is wrong.
  auto made = Make();
  if (!made.ok()) return;
  spare_ = *std::move(made);
  services_.reaper.Watch(spare_->process.pid, [](int) {});
}

StatusOr<SpareProcess::Begun> SpareProcess::Make(const std::optional<PtySize>& pty) {
  Begun begun;
  begun.group = TRY(services_.groups.Create());
  begun.process = TRY(MakeExecProcess(services_.environment, begun.group->fork_fd(), pty));
  begun.group->OnStarted(begun.process.pid);
  begun.out = std::make_unique<ExecOutput>(services_.loop, std::move(begun.process.stdout_pipe));
  begun.err = std::make_unique<ExecOutput>(services_.loop, std::move(begun.process.stderr_pipe));
  return begun;
}

std::optional<SpareProcess::Begun> SpareProcess::Take() {
  std::optional<Begun> taken = std::exchange(spare_, std::nullopt);
  if (taken && !services_.reaper.Forget(taken->process.pid)) taken.reset();
  return taken;
}

}  // namespace capsem::agent
