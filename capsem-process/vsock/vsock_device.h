// The virtio-vsock device of one machine, in this process: QEMU's vhost-user-vsock-pci speaks to it
// over a Unix socket, and the guest's connections come out of it as stream sockets. No kernel
// module is used, and no other process can reach the guest. Only the guest dials.
//
//   auto device = VsockDevice::Create(loop, std::move(our_end), {
//       .accept = [&](uint32_t host_port, uint32_t guest_port) { return one end of a socketpair; },
//       .on_lost = [&](Status why) { ... }});
//
// One object per plug: make it before `device_add`, destroy it when the device is gone from QEMU;
// its connections end with it. Whatever a guest or a broken QEMU puts into rings and messages ends,
// at worst, this object: `on_lost` says why, once. Owned by the app, on the loop.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>

#include "base/loop.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "base/weak.h"
#include "vsock/vhost_user.h"
#include "vsock/vsock_switch.h"

namespace capsem::process {

class VsockDevice {
 public:
  struct Config {
    // Private to the machine, so any number above the host's does for all of them.
    uint64_t guest_cid = 3;
    // Asked for each connection that the guest dials: a connected stream socket (not a pipe), or an
    // invalid descriptor to refuse with a reset. At most 64 are open at a time. Must not destroy
    // the device.
    absl::AnyInvocable<UniqueFd(uint32_t host_port, uint32_t guest_port)> accept;
    // Once, and the last event; may destroy the device. Unavailable: QEMU closed its end.
    // InvalidArgument: a ring or a message was malformed. QEMU keeps the guest running with a dead
    // device and never connects again: unless the device was being unplugged, end the machine.
    absl::AnyInvocable<void(Status)> on_lost;
  };

  // `vhost_user_end` is our end of the socket whose other end QEMU has as a chardev.
  static StatusOr<std::unique_ptr<VsockDevice>> Create(Loop& loop, UniqueFd vhost_user_end,
                                                       Config config);
  VsockDevice(const VsockDevice&) = delete;
  VsockDevice& operator=(const VsockDevice&) = delete;

 private:
  VsockDevice(Loop& loop, UniqueFd vhost_user_end, Config config);
  VsockSwitch::Config SwitchConfig(Config& config);
  VhostUser::Events VhostEvents();
  void OnStart(VhostUser::Start start);
  void Lose(Status status);

  Loop& loop_;
  absl::AnyInvocable<void(Status)> on_lost_;
  bool lost_ = false;
  VsockSwitch switch_;
  VhostUser vhost_;
  WeakOwner<VsockDevice> weak_{this};
};

}  // namespace capsem::process
