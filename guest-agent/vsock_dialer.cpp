// Platform: vsock; elsewhere: DialHost fails with the kernel's error.
#include "vsock_dialer.h"

#include <linux/vm_sockets.h>
#include <sys/socket.h>

#include "wire/limits.h"

namespace capsem::agent {
namespace {

sockaddr_vm Address(unsigned cid, unsigned port) {
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = port;
  return address;
}

int Call(int (*call)(int, const sockaddr*, socklen_t), int fd, const sockaddr_vm& address) {
  return call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

// An old connection may hold a port for some seconds more.
Status BindPrivileged(int fd) {
  for (unsigned port = wire::kPrivilegedPorts - 1; port > 0; --port) {
    if (Call(bind, fd, Address(VMADDR_CID_ANY, port)) == 0) return OkStatus();
    if (errno != EADDRINUSE) break;
  }
  return FromErrno("bind a privileged vsock port");
}

}  // namespace

void WidenVsockBuffer(int fd) {
  const uint64_t size = wire::kVsockBuffer;
  setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &size, sizeof size);
  setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof size);
}

StatusOr<UniqueFd> DialHost() {
  UniqueFd fd(socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FromErrno("make a vsock socket");
  WidenVsockBuffer(fd.get());
  TRY(BindPrivileged(fd.get()));
  if (Call(connect, fd.get(), Address(wire::kHostCid, wire::kLinkPort)) == 0 ||
      errno == EINPROGRESS)
    return fd;
  if (errno == ENODEV) return FailedPrecondition("there is no vsock device");
  return FromErrno("connect to the host");
}

}  // namespace capsem::agent
