// Plugs the vsock device into the running machine and takes it out again, by QMP. The device never
// stands on QEMU's command line, because a saved machine that had it there could not be restored.
//
//   Plug:    getfd (our socket's end travels along) → chardev-add → device_add → done
//   Unplug:  device_del → the guest lets go: DEVICE_DELETED → chardev-remove → done
//
// A socket serves one plugging only: QEMU cannot connect a vhost-user chardev again. Owned by
// QemuMachine, on the loop; destroyed before its QmpClient; `done` does not come after destruction.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <string>

#include "base/loop.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "base/weak.h"
#include "machine/qmp_client.h"

namespace capsem::process {

class VsockPlug {
 public:
  using Done = absl::AnyInvocable<void(Status)>;
  // A guest lets go within 40-220 ms (TCG); one that has not by then hangs, or does not want to.
  static constexpr std::chrono::milliseconds kUnplugLimit = std::chrono::seconds(5);

  VsockPlug(Loop& loop, QmpClient& qmp, std::chrono::milliseconds unplug_limit = kUnplugLimit);
  VsockPlug(const VsockPlug&) = delete;
  VsockPlug& operator=(const VsockPlug&) = delete;

  // `socket` is QEMU's end; the other end must be served, or QEMU waits for it in device_add.
  void Plug(UniqueFd socket, Done done);
  // DeadlineExceeded: the guest did not let go. It may still do so later; asking again is right.
  void Unplug(Done done);
  void OnEvent(const QmpEvent& event);
  // The monitor has ended: nobody will tell us of the device any more.
  void Lost(const Status& status);

 private:
  using Step = void (VsockPlug::*)();
  // Refuses while another verb is at work, or when the device is not as the verb needs it.
  bool Begin(bool allowed, std::string_view otherwise, Done& done);
  void Ask(QmpCommand command, Step next);

  void PassSocket();
  void AddChardev();
  void AddDevice();
  void DeviceAdded();

  void AskGuest();
  void AwaitDeleted();
  void RemoveChardev();
  void ChardevRemoved();

  void Finish(Status status);

  Loop& loop_;
  QmpClient& qmp_;
  const std::chrono::milliseconds unplug_limit_;
  Done done_;        // of the verb at work
  UniqueFd socket_;  // of the plugging at work
  // What QEMU has. A guest can eject the device by itself: then the chardev alone is left.
  bool device_ = false;
  bool chardev_ = false;
  bool removal_asked_ = false;
  bool awaiting_deleted_ = false;
  Timer limit_;
  WeakOwner<VsockPlug> weak_{this};
};

}  // namespace capsem::process
