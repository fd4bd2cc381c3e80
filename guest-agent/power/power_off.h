// The end of a machine, step by step: TERM to all commands; when they have ended, or after the
// grace, KILL; the disk is written and made read-only; off, or from the beginning. Each step ends
// in the next, whatever happened in it: a machine that was told to go, goes.
#pragma once

#include <chrono>
#include <functional>

#include "base/timer.h"
#include "base/weak.h"
#include "exec/exec_table.h"

namespace capsem::agent {

class PowerOff {
 public:
  enum class End { kOff, kRestart };
  // What it takes from the machine.
  struct Machine {
    absl::AnyInvocable<void(int signal)> signal_everybody;
    std::function<int()> settle_disk;  // in a worker; answers with an errno
    absl::AnyInvocable<void(End)> end;
  };

  PowerOff(ExecServices& services, ExecTable& execs, Machine machine);
  // Once: later calls change nothing.
  void Begin(std::chrono::milliseconds grace, End end = End::kOff);

 private:
  void KillAll();
  void SettleDisk();

  ExecServices& services_;
  ExecTable& execs_;
  Machine machine_;
  bool begun_ = false;
  End end_ = End::kOff;
  Timer limit_;  // of the step that is waited for
  WeakOwner<PowerOff> weak_{this};
};

// For PID 1: signals everybody but itself, writes the file system of `disk_root` and makes it
// read-only, powers off or restarts.
PowerOff::Machine RealMachine(int disk_root);

}  // namespace capsem::agent
