// One process that waits in a group of its own for the next command, made while the machine had
// nothing else to do. Owned by the exec table; on the loop.
#pragma once

#include <memory>
#include <optional>

#include "base/timer.h"
#include "base/weak.h"
#include "exec/exec_output.h"
#include "exec/exec_services.h"

namespace capsem::agent {

class SpareProcess {
 public:
  struct Begun {
    std::unique_ptr<ExecGroup> group;
    ExecProcess process;
    std::unique_ptr<ExecOutput> out, err;
  };

  explicit SpareProcess(ExecServices& services) : services_(services), refill_(services.loop) {}
  SpareProcess(const SpareProcess&) = delete;
  SpareProcess& operator=(const SpareProcess&) = delete;
  ~SpareProcess() { Stop(); }

  // Runs the command in the spare, or in one made now: a terminal's always is. The reaper is the
  // caller's to tell. A new spare comes when the host has heard its end (MakeSoon), or beside it
  // when it takes its time.
  StatusOr<Begun> Run(const ExecSpec& spec);
  // After what the loop has to do now. Only after Run or MakeWhenQuiet, and not after Stop.
  void MakeSoon();
  void MakeWhenQuiet();
  // Ends the spare, and makes no other.
  void Stop();
  bool waiting() const { return spare_.has_value(); }

 private:
  StatusOr<Begun> Make(const std::optional<PtySize>& pty = std::nullopt);
  // The spare, unless it has ended meanwhile: anybody in the guest may kill it.
  std::optional<Begun> Take();
  void Refill();

  ExecServices& services_;
  std::optional<Begun> spare_;
  Timer refill_;
  WeakOwner<SpareProcess> weak_{this};
};

}  // namespace capsem::agent
