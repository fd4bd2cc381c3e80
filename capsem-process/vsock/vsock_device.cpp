#include "vsock/vsock_device.h"

#include <sys/socket.h>

#include <utility>

namespace capsem::process {
namespace {

// The numbers of the rings, in the guest's words: it receives from the first.
constexpr size_t kToGuest = 0;
constexpr size_t kFromGuest = 1;

}  // namespace

StatusOr<std::unique_ptr<VsockDevice>> VsockDevice::Create(Loop& loop, UniqueFd vhost_user_end,
                                                           Config config) {
  loop.AssertOwned();
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(vhost_user_end.get(), SOL_SOCKET, SO_TYPE, &type, &size) != 0)
    return FromErrno("use a descriptor as the vhost-user socket");
  if (type != SOCK_STREAM) return InvalidArgument("the vhost-user socket is not a stream");
  return std::unique_ptr<VsockDevice>(
      new VsockDevice(loop, std::move(vhost_user_end), std::move(config)));
}

VsockDevice::VsockDevice(Loop& loop, UniqueFd vhost_user_end, Config config)
    : loop_(loop),
      on_lost_(std::move(config.on_lost)),
      switch_(loop, SwitchConfig(config)),
      vhost_(loop, std::move(vhost_user_end), config.guest_cid, VhostEvents()) {}

VsockSwitch::Config VsockDevice::SwitchConfig(Config& config) {
  return {
      .guest_cid = config.guest_cid,
      .accept = std::move(config.accept),
      .interrupt =
          [this](VsockSwitch::Ring ring) {
            vhost_.Interrupt(ring == VsockSwitch::Ring::kToGuest ? kToGuest : kFromGuest);
          },
      .on_broken = [this](Status status) { Lose(std::move(status)); },
  };
}

VhostUser::Events VsockDevice::VhostEvents() {
  return {
      .on_start = [this](VhostUser::Start start) { OnStart(start); },
      .on_stop = [this] { switch_.Stop(); },
      .on_kick =
          [this](size_t ring) {
            switch_.OnKick(ring == kToGuest ? VsockSwitch::Ring::kToGuest
                                            : VsockSwitch::Ring::kFromGuest);
          },
      .on_lost = [this](Status status) { Lose(std::move(status)); },
  };
}

void VsockDevice::OnStart(VhostUser::Start start) {
  // A driver that begins anew knows nothing of the connections of the one before.
  if (start == VhostUser::Start::kFresh) switch_.DropConnections();
  switch_.Start({&vhost_.memory(), &vhost_.queue(kToGuest), &vhost_.queue(kFromGuest)});
}

// Both halves stand still at once, but are ended, and the owner hears of it, from the loop: the
// call that found the fault is still inside one of them.
void VsockDevice::Lose(Status status) {
  if (std::exchange(lost_, true)) return;
  vhost_.Close();
  loop_.Post([self = weak_.Get(), status = std::move(status)]() mutable {
    if (!self) return;
    self->switch_.DropConnections();
    auto on_lost = std::move(self->on_lost_);
    on_lost(std::move(status));
  });
}

}  // namespace capsem::process
