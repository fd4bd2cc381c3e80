#include "replug.h"

#include <chrono>
#include <utility>

namespace capsem::process {

void Replug::Run(const Request& request, Done done) {
  if (done_ != nullptr) return done(FailedPrecondition("a re-plug is under way"));
  left_ = request.times();
  rebuild_ = request.rebuild_link();
  response_.Clear();
  done_ = std::move(done);
  Unplug();
}

void Replug::Unplug() {
  if (left_ == 0) return Finish(response_);
  --left_;
  unplug_started_ = Clock::Now();
  port_.ExpectUnplug();
  machine_.UnplugVsock([self = weak_.Get()](Status status) {
    if (self) self->OnUnplugged(status);
  });
}

void Replug::OnUnplugged(const Status& status) {
  if (!status.ok()) return Finish(status);
  const auto spent = Clock::Now() - unplug_started_;
  response_.set_unplug_us_total(
      response_.unplug_us_total() +
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(spent).count()));
  port_.DropDevice();
  guest_.DropConnection();
  if (rebuild_) {
    const Status rebuilt = guest_.RebuildLink(state_path_);
    if (!rebuilt.ok()) return Finish(rebuilt);
  }
  Plug();
}

void Replug::Plug() {
  auto end = port_.MakeDevice();
  if (!end.ok()) return Finish(end.status());
  awaiting_link_ = true;
  machine_.PlugVsock(*std::move(end), [self = weak_.Get()](Status status) {
    if (self && !status.ok()) self->Finish(status);
  });
}

void Replug::OnLinkUp() {
  if (std::exchange(awaiting_link_, false)) Unplug();
}

void Replug::Finish(StatusOr<Response> result) {
  awaiting_link_ = false;
  Done done = std::move(done_);
  done_ = nullptr;
  if (done != nullptr) done(std::move(result));
}

}  // namespace capsem::process
