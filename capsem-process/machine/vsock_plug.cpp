#include "machine/vsock_plug.h"

#include <utility>

namespace capsem::process {
namespace {

constexpr std::string_view kDevice = "vsock0";
constexpr char kFdName[] = R"({"fdname": "vsock-socket"})";
constexpr char kChardevAdd[] =
    R"({"id": "vsock0-socket", "backend": {"type": "socket", "data": )"
    R"({"addr": {"type": "fd", "data": {"str": "vsock-socket"}}, "server": false}}})";
constexpr char kChardevRemove[] = R"({"id": "vsock0-socket"})";
// `hotplug0` is the root port that every machine keeps free for it.
constexpr char kDeviceAdd[] =
    R"({"driver": "vhost-user-vsock-pci", "id": "vsock0", "chardev": "vsock0-socket", )"
    R"("bus": "hotplug0", "addr": "0x0"})";
constexpr char kDeviceDel[] = R"({"id": "vsock0"})";

}  // namespace

VsockPlug::VsockPlug(Loop& loop, QmpClient& qmp, std::chrono::milliseconds unplug_limit)
    : loop_(loop), qmp_(qmp), unplug_limit_(unplug_limit), limit_(loop) {}

void VsockPlug::Plug(UniqueFd socket, Done done) {
  if (!Begin(!device_, "the vsock device is plugged in already", done)) return;
  socket_ = std::move(socket);
  if (chardev_) return RemoveChardev();  // of a device that the guest has thrown out
  PassSocket();
}

void VsockPlug::PassSocket() {
  Ask({.name = "getfd", .arguments = kFdName, .fd = std::move(socket_)}, &VsockPlug::AddChardev);
}

void VsockPlug::AddChardev() {
  Ask({.name = "chardev-add", .arguments = kChardevAdd}, &VsockPlug::AddDevice);
}

void VsockPlug::AddDevice() {
  chardev_ = true;
  Ask({.name = "device_add", .arguments = kDeviceAdd}, &VsockPlug::DeviceAdded);
}

void VsockPlug::DeviceAdded() {
  device_ = true;
  removal_asked_ = false;
  Finish(OkStatus());
}

void VsockPlug::Unplug(Done done) {
  if (!Begin(device_ || chardev_, "there is no vsock device to unplug", done)) return;
  if (device_) return AskGuest();
  RemoveChardev();
}

void VsockPlug::AskGuest() {
  qmp_.Execute({.name = "device_del", .arguments = kDeviceDel},
               [self = weak_.Get()](const StatusOr<QmpFields>& answer) {
                 if (!self) return;
                 // QEMU 7.2 refuses to ask a guest twice; then only the waiting is left.
                 const bool twice =
                     self->removal_asked_ && absl::IsFailedPrecondition(answer.status());
                 if (!answer.ok() && !twice) return self->Finish(answer.status());
                 self->removal_asked_ = true;
                 self->AwaitDeleted();
               });
}

void VsockPlug::AwaitDeleted() {
  if (!device_) return RemoveChardev();  // the word came before the answer
  awaiting_deleted_ = true;
  limit_.Start(unplug_limit_, [this] {
    Finish(WithRemedy(
        DeadlineExceeded("the guest did not let go of its vsock device within {} ms",
                         unplug_limit_.count()),
        "the guest's kernel may hang: look at the session's console, or end it by force"));
  });
}

void VsockPlug::OnEvent(const QmpEvent& event) {
  if (event.name != "DEVICE_DELETED" || event.Get("device") != kDevice) return;
  device_ = false;
  if (!awaiting_deleted_) return;
  awaiting_deleted_ = false;
  limit_.Cancel();
  RemoveChardev();
}

void VsockPlug::RemoveChardev() {
  Ask({.name = "chardev-remove", .arguments = kChardevRemove}, &VsockPlug::ChardevRemoved);
}

void VsockPlug::ChardevRemoved() {
  chardev_ = false;
  if (socket_.valid()) return PassSocket();
  Finish(OkStatus());
}

void VsockPlug::Lost(const Status& status) {
  if (awaiting_deleted_) Finish(status);
}

bool VsockPlug::Begin(bool allowed, std::string_view otherwise, Done& done) {
  loop_.AssertOwned();
  const bool busy = done_ != nullptr;
  if (allowed && !busy) {
    done_ = std::move(done);
    return true;
  }
  Status status = FailedPrecondition(
      "{}", busy ? "the vsock device is being plugged in or unplugged" : otherwise);
  loop_.Post([done = std::move(done), status = std::move(status)]() mutable { done(status); });
  return false;
}

void VsockPlug::Ask(QmpCommand command, Step next) {
  qmp_.Execute(std::move(command), [self = weak_.Get(), next](const StatusOr<QmpFields>& answer) {
    if (!self) return;
    if (!answer.ok()) return self->Finish(answer.status());
    (self.get()->*next)();
  });
}

void VsockPlug::Finish(Status status) {
  awaiting_deleted_ = false;
  limit_.Cancel();
  socket_.Reset();
  Done done = std::exchange(done_, nullptr);  // it may destroy this, or begin the next verb
  done(std::move(status));
}

}  // namespace capsem::process
