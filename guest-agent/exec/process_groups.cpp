#include "exec/process_groups.h"

#include <signal.h>

namespace capsem::agent {

class ProcessGroups::Group : public ExecGroup {
 public:
  explicit Group(ProcessGroups& all) : all_(all) {}
  ~Group() override { all_.Forget(first_); }

  int fork_fd() const override { return -1; }
  void OnStarted(pid_t first) override {
    first_ = first;
    all_.living_.insert(first);
  }
  void Kill() override {
    if (all_.living_.contains(first_)) KillOne(first_);
  }
  void OnFirstEnded(absl::AnyInvocable<void()> gone) override {
    all_.Forget(first_);
    all_.loop_.Post(std::move(gone));
  }

  // By its own number as well: it may not have made its session yet.
  static void KillOne(pid_t first) {
    kill(-first, SIGKILL);
    kill(first, SIGKILL);
  }

 private:
  ProcessGroups& all_;
  pid_t first_ = -1;
};

StatusOr<std::unique_ptr<ExecGroup>> ProcessGroups::Create() {
  return std::make_unique<Group>(*this);
}

void ProcessGroups::KillAll() {
  for (const pid_t first : living_) Group::KillOne(first);
}

void ProcessGroups::OnEmpty(absl::AnyInvocable<void()> empty) {
  empty_ = std::move(empty);
  Forget(-1);
}

void ProcessGroups::Forget(pid_t first) {
  living_.erase(first);
  if (living_.empty() && empty_) loop_.Post(std::exchange(empty_, nullptr));
}

}  // namespace capsem::agent
