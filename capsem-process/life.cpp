#include "life.h"

#include <utility>

namespace capsem::process {

void Life::WhenReady(Waiter waiter) {
  switch (state_) {
    case State::kBooting: return waiters_.push_back(std::move(waiter));
    case State::kReady: return waiter(OkStatus());
    case State::kDraining: return waiter(FailedPrecondition("the machine is being stopped"));
    case State::kGone: return waiter(Unavailable("the machine is gone: {}", exit_.reason));
  }
}

void Life::Ready() {
  if (state_ == State::kBooting) To(State::kReady);
}

void Life::Drain() {
  if (state_ == State::kBooting || state_ == State::kReady) To(State::kDraining);
}

void Life::Gone(Machine::Exit exit) {
  if (state_ == State::kGone) return;
  exit_ = std::move(exit);
  To(State::kGone);
}

void Life::StandStill(std::string why) {
  if (std::exchange(trouble_, std::move(why)) != trouble_) Tell();
}

void Life::Tell() {
  for (Observer& observer : observers_) observer(*this);
}

void Life::To(State next) {
  state_ = next;
  Tell();
  // A waiter may wait again: it is asked about the state of then.
  for (Waiter& waiter : std::exchange(waiters_, {})) WhenReady(std::move(waiter));
}

}  // namespace capsem::process
