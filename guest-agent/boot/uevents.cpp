#include "boot/uevents.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

namespace capsem::agent {
namespace {

// The kernel's own buffer for one event (UEVENT_BUFFER_SIZE) is 2 KiB.
constexpr size_t kMaxEvent = 8 * 1024;
constexpr unsigned kKernelGroup = 1;

}  // namespace

Uevent ParseUevent(std::string_view datagram) {
  Uevent event;
  while (!datagram.empty()) {
    const size_t end = datagram.find('\0');
    const std::string_view field = datagram.substr(0, end);
    datagram.remove_prefix(end == std::string_view::npos ? datagram.size() : end + 1);
    if (field.starts_with("ACTION=")) event.action = field.substr(7);
    if (field.starts_with("SUBSYSTEM=")) event.subsystem = field.substr(10);
    if (field.starts_with("DRIVER=")) event.driver = field.substr(7);
  }
  return event;
}

StatusOr<Uevents> Uevents::Open() {
  UniqueFd fd(
      socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!fd.valid()) return FromErrno("open the kernel's device news");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return FromErrno("listen to the kernel's device news");
  return Uevents(std::move(fd));
}

StatusOr<Uevent> Uevents::Next() {
  char buffer[kMaxEvent];
  for (;;) {
    sockaddr_nl sender{};
    socklen_t length = sizeof sender;
    const ssize_t count = recvfrom(fd_.get(), buffer, sizeof buffer, 0,
                                   reinterpret_cast<sockaddr*>(&sender), &length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == ENOBUFS) return Uevent{};
    if (count < 0) return NotFound("no event is queued");
    // Only the kernel's own news: any root process can send to the group.
    if (sender.nl_pid != 0) continue;
    return ParseUevent(std::string_view(buffer, static_cast<size_t>(count)));
  }
}

Status Uevents::Wait(std::chrono::milliseconds limit) {
  pollfd watched{fd_.get(), POLLIN, 0};
  const int ready = poll(&watched, 1, static_cast<int>(limit.count()));
  if (ready == 0) return DeadlineExceeded("no device news for {} ms", limit.count());
  return OkStatus();
}

}  // namespace capsem::agent
