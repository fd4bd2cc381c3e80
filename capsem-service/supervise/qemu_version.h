// Which QEMU is here, as it says itself. Asked when somebody wants to know, and once more when it
// was missing: people install it. Owned by app; loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "supervise/short_run.h"

namespace capsem::service {

class QemuVersion {
 public:
  // NotFound with a remedy: there is no QEMU.
  using Done = absl::AnyInvocable<void(const StatusOr<std::string>&)>;

  QemuVersion(Loop& loop, std::string program);
  // Calls back from the loop.
  void Ask(Done done);
  const std::string& program() const { return program_; }

 private:
  void OnSaid(const StatusOr<std::string>& said);

  Loop& loop_;
  const std::string program_;
  std::string known_;
  std::vector<Done> waiting_;
  std::unique_ptr<ShortRun> run_;
  WeakOwner<QemuVersion> weak_{this};
};

// FailedPrecondition with a remedy: there is no such program. Costs one system call.
Status CheckQemu(const std::string& program);

// "QEMU emulator version 7.2.22 (Debian …)\n…" → "7.2.22"; empty when it says no such thing. Pure.
std::string ParseQemuVersion(std::string_view said);

}  // namespace capsem::service
