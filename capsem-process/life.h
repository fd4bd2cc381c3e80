// This process's own state machine, and the queue of those who wait for the guest.
//
//   booting ──► ready ──► draining ──► gone
//      └───────────┴──────────────────► gone
//
// booting: QEMU runs, the guest has not said hello and been configured. draining: a stop was asked
// for. Requests that come before `ready` wait here in order, and end with the reason if the machine
// dies first.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "machine/machine.h"

namespace capsem::process {

class Life {
 public:
  enum class State { kBooting, kReady, kDraining, kGone };
  using Waiter = absl::AnyInvocable<void(Status)>;
  using Observer = absl::AnyInvocable<void(const Life&)>;

  State state() const { return state_; }
  // Why it is gone; good in that state.
  const Machine::Exit& exit() const { return exit_; }
  // Why the guest stands still, as a sentence; "" = it does not.
  const std::string& trouble() const { return trouble_; }

  // Calls back at once when ready or gone, else when that is known.
  void WhenReady(Waiter waiter);
  // Hears every change from now on.
  void Observe(Observer observer) { observers_.push_back(std::move(observer)); }

  void Ready();
  void Drain();
  void Gone(Machine::Exit exit);
  void StandStill(std::string why);
  void GoOn() { StandStill({}); }

 private:
  void To(State next);
  void Tell();

  State state_ = State::kBooting;
  Machine::Exit exit_;
  std::string trouble_;
  std::vector<Waiter> waiters_;
  std::vector<Observer> observers_;
};

}  // namespace capsem::process
