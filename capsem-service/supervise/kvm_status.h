// Can machines run under KVM here? Found out by running one, in a child that can be killed
// (capsem-kvm-probe), once per boot of the host: the answer is kept in a file. Owned by app; loop
// thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/weak.h"
#include "supervise/short_run.h"

namespace capsem::service {

class KvmStatus {
 public:
  struct Answer {
    bool usable = false;
    std::string reason;  // why not, as a sentence; empty when usable
  };
  using Done = absl::AnyInvocable<void(const Answer&)>;

  // `boot` names the boot of the host and what else the answer depends on: another one asks anew.
  KvmStatus(Loop& loop, std::string program, std::string cache_path, std::string boot);

  // Calls back from the loop when the answer is known; who comes first makes the probe run.
  void Ask(Done done);

 private:
  std::optional<Answer> Cached() const;
  void Remember() const;
  void OnProbed(const StatusOr<std::string>& said);
  void Tell();

  Loop& loop_;
  const std::string program_;
  const std::string cache_path_;
  const std::string boot_;
  std::optional<Answer> answer_;
  std::vector<Done> waiting_;
  std::unique_ptr<ShortRun> probe_;
  WeakOwner<KvmStatus> weak_{this};
};

// The boot id, and whether this user may open /dev/kvm: both can change the answer.
std::string CurrentBoot();

}  // namespace capsem::service
