// The machine's vsock device and the one port it serves, across re-plugs: hands the guest's
// connections to whoever asked for them. Takes port 5000 only, and only from a source port below
// 1024, which takes root in the guest; in machines of tests also the two ports of
// wire/testing/bulk.h. Owned by app; loop thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>

#include "base/loop.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "vsock/vsock_device.h"

namespace capsem::process {

class VsockPort {
 public:
  struct Events {
    absl::AnyInvocable<void(UniqueFd)> on_connection;
    // The device ended without having been dropped: QEMU is gone, or the guest broke its rings.
    absl::AnyInvocable<void(Status)> on_lost;
    // In machines of tests only: a connection to one of the ports of tools/bench/run link.
    absl::AnyInvocable<void(uint32_t port, UniqueFd)> on_bulk = nullptr;
  };

  VsockPort(Loop& loop, Events events) : loop_(loop), events_(std::move(events)) {}

  // Makes a new device and gives QEMU's end of its socket, to be plugged.
  StatusOr<UniqueFd> MakeDevice();
  // Before the device is unplugged: QEMU closes its end then, and that is no loss.
  void ExpectUnplug() { unplugging_ = true; }
  // After the unplug; every connection ends.
  void DropDevice() { device_.reset(); }

 private:
  UniqueFd Accept(uint32_t host_port, uint32_t guest_port);
  bool IsBulk(uint32_t host_port) const;

  Loop& loop_;
  Events events_;
  bool unplugging_ = false;
  std::unique_ptr<VsockDevice> device_;
};

}  // namespace capsem::process
