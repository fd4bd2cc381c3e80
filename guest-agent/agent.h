// The agent itself: the multiplexer's events and the host's control frames, each handed to the one
// who acts. On the loop; owned by main.
#pragma once

#include <memory>

#include "exec/exec_table.h"
#include "files/file_table.h"
#include "host_link.h"
#include "power/power_off.h"
#include "wire/mux.h"

namespace capsem::agent {

class Agent {
 public:
  using Identity = absl::AnyInvocable<void(const capsem::guest::v1::Configure&,
                                           absl::AnyInvocable<void(Status)> done)>;

  Agent(ExecServices services, FileRoot root, HostLink::Dial dial, Identity identity,
        PowerOff::Machine machine);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // A device may have come; the first call dials.
  void OnDevice() { link_.OnDevice(); }
  void BeginPowerOff(std::chrono::milliseconds grace, PowerOff::End end = PowerOff::End::kOff);

 private:
  wire::Mux::Events MuxEvents();
  void OnOpen(wire::ChannelId channel, wire::ChannelKind kind);
  void OnReadable(wire::ChannelId channel);
  void OnWritable(wire::ChannelId channel);
  void OnReset(wire::ChannelId channel);
  void OnControlBytes();
  void OnFrame(const capsem::guest::v1::HostFrame& frame);
  void OnConfigure(const capsem::guest::v1::Configure& configure);
  void OnQuiesce(const capsem::guest::v1::Quiesce& quiesce);
  void Tell(const capsem::guest::v1::GuestFrame& frame);
  void OnLostForGood(const Status& why);

  ExecServices services_;
  Identity identity_;
  wire::Mux mux_;
  ExecTable execs_;
  FileTable files_;
  PowerOff power_off_;
  wire::FrameReader control_in_;
  std::string control_out_;  // what the multiplexer has not taken
  HostLink link_;
  WeakOwner<Agent> weak_{this};
};

}  // namespace capsem::agent
