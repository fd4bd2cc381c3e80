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

namespace capsem::process {

class Life {
 public:
  enum class State { kBooting, kReady, kDraining, kGone };
  using Waiter = absl::AnyInvocable<void(Status)>;
  using Observer = absl::AnyInvocable<void(const Life&)>;

  State state() const { return state_; }
  // Why it is gone, as a sentence; and whether that was as asked.
  const std::string& reason() const { return reason_; }
  bool clean() const { return clean_; }

  // Calls back at once when ready or gone, else when that is known.
  void WhenReady(Waiter waiter);
  // Hears every change from now on.
  void Observe(Observer observer) { observers_.push_back(std::move(observer)); }

  void Ready();
  void Drain();
  void Gone(std::string reason, bool clean);

 private:
  void To(State next);

  State state_ = State::kBooting;
  std::string reason_;
  bool clean_ = false;
  std::vector<Waiter> waiters_;
  std::vector<Observer> observers_;
};

}  // namespace capsem::process
