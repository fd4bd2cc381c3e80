// Takes the vsock device away and plugs a new one in, as a suspend and its resume will: Unplug,
// Rebuild, Plug, and wait for the link, `times` over. A flow: made for one request, done once. Loop
// thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "base/weak.h"
#include "capsem/process/v1/process.pb.h"
#include "guest/guest_session.h"
#include "machine/machine.h"
#include "vsock_port.h"

namespace capsem::process {

class Replug {
 public:
  using Request = capsem::process::v1::ReplugRequest;
  using Response = capsem::process::v1::ReplugResponse;
  using Done = absl::AnyInvocable<void(StatusOr<Response>)>;

  Replug(Machine& machine, VsockPort& port, GuestSession& guest, std::string state_path)
      : machine_(machine), port_(port), guest_(guest), state_path_(std::move(state_path)) {}

  // FailedPrecondition: one is under way.
  void Run(const Request& request, Done done);
  // The link has come up.
  void OnLinkUp();

 private:
  void Unplug();
  void OnUnplugged(const Status& status);
  void Plug();
  void Finish(StatusOr<Response> result);

  Machine& machine_;
  VsockPort& port_;
  GuestSession& guest_;
  const std::string state_path_;
  uint32_t left_ = 0;
  bool rebuild_ = false;
  bool awaiting_link_ = false;
  Clock::TimePoint unplug_started_;
  Response response_;
  Done done_;
  WeakOwner<Replug> weak_{this};
};

}  // namespace capsem::process
