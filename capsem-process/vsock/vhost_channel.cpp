#include "vsock/vhost_channel.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace capsem::process {
namespace {

// Bits of the flags: the version of the format (the only one), "this is a reply", "reply to this".
constexpr uint32_t kVersionMask = 3;
constexpr uint32_t kVersion = 1;
constexpr uint32_t kReply = 4;
constexpr uint32_t kNeedReply = 8;

}  // namespace

StatusOr<std::optional<VhostMessage>> VhostChannel::Read() {
  const std::span header(reinterpret_cast<uint8_t*>(&header_), sizeof header_);
  if (!TRY(Fill(header, header_filled_))) return std::nullopt;
  TRY(CheckHeader());
  if (!TRY(Fill(std::span(payload_).first(header_.size), payload_filled_))) return std::nullopt;
  VhostMessage message;
  message.request = static_cast<VhostRequest>(header_.request);
  message.wants_reply = (header_.flags & kNeedReply) != 0;
  message.payload.assign(payload_.begin(), payload_.begin() + header_.size);
  message.fds = std::exchange(fds_, {});
  header_filled_ = payload_filled_ = 0;
  return message;
}

Status VhostChannel::CheckHeader() const {
  if ((header_.flags & kVersionMask) != kVersion)
    return InvalidArgument("a vhost-user message of version {}", header_.flags & kVersionMask);
  if (header_.size > kMaxPayload)
    return InvalidArgument("a vhost-user message of {} bytes", header_.size);
  return OkStatus();
}

StatusOr<bool> VhostChannel::Fill(std::span<uint8_t> part, size_t& filled) {
  while (filled < part.size()) {
    iovec piece = {part.data() + filled, part.size() - filled};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count < 0) return FromErrno("read from QEMU's vhost-user socket");
    TakeFds(message);
    if ((message.msg_flags & MSG_CTRUNC) != 0 || fds_.size() > kMaxFds)
      return InvalidArgument("a vhost-user message with more than {} descriptors", kMaxFds);
    if (count == 0) return Unavailable("QEMU closed its end of the vhost-user socket");
    filled += static_cast<size_t>(count);
  }
  return true;
}

void VhostChannel::TakeFds(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < count; ++index) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + index * sizeof fd, sizeof fd);
      fds_.emplace_back(fd);
    }
  }
}

Status VhostChannel::Reply(VhostRequest request, std::span<const uint8_t> payload) {
  const Header header = {static_cast<uint32_t>(request), kVersion | kReply,
                         static_cast<uint32_t>(payload.size())};
  std::array<uint8_t, sizeof header + kMaxPayload> bytes;
  ENSURE(payload.size() <= kMaxPayload);
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!payload.empty()) std::memcpy(bytes.data() + sizeof header, payload.data(), payload.size());
  const size_t size = sizeof header + payload.size();
  const ssize_t sent = send(socket_.get(), bytes.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return FromErrno("answer QEMU's vhost-user message {}", header.request);
  if (static_cast<size_t>(sent) != size)
    return Unavailable("QEMU does not read the answers to its vhost-user messages");
  return OkStatus();
}

}  // namespace capsem::process
