#include "vsock/vsock_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace capsem::process {
namespace {

msghdr MessageOf(std::span<iovec> pieces) {
  msghdr message = {};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  return message;
}

bool WouldBlock() { return errno == EAGAIN || errno == EINTR; }

}  // namespace

VsockStream::VsockStream(Loop& loop, UniqueFd fd, absl::AnyInvocable<void(int events)> ready)
    : fd_(std::move(fd)), watch_(loop, fd_.get(), std::move(ready)) {}

StatusOr<size_t> VsockStream::Send(std::span<iovec> pieces) {
  const msghdr message = MessageOf(pieces);
  const ssize_t sent = sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && !WouldBlock()) return FromErrno("write to the host's end of a vsock connection");
  return static_cast<size_t>(std::max<ssize_t>(sent, 0));
}

StatusOr<size_t> VsockStream::Write(std::span<iovec> pieces) {
  const size_t sent = keeps() || pieces.empty() ? 0 : TRY(Send(pieces));
  size_t skip = sent;
  for (const iovec& piece : pieces) {
    const size_t skipped = std::min(skip, piece.iov_len);
    skip -= skipped;
    kept_.append(static_cast<const char*>(piece.iov_base) + skipped, piece.iov_len - skipped);
  }
  return sent;
}

StatusOr<size_t> VsockStream::Flush() {
  if (!keeps()) return 0;
  iovec rest = {kept_.data() + sent_, kept_.size() - sent_};
  const size_t sent = TRY(Send({&rest, 1}));
  sent_ += sent;
  // What was sent goes only when it is the larger half, so that each byte is moved once or twice.
  if (sent_ * 2 >= kept_.size()) {
    kept_.erase(0, sent_);
    sent_ = 0;
  }
  return sent;
}

StatusOr<VsockStream::ReadResult> VsockStream::Read(std::span<iovec> pieces) {
  msghdr message = MessageOf(pieces);
  const ssize_t count = recvmsg(fd_.get(), &message, MSG_DONTWAIT);
  if (count < 0 && !WouldBlock()) return FromErrno("read from the host's end of a connection");
  if (count < 0) return ReadResult{};
  return ReadResult{static_cast<size_t>(count), count == 0};
}

void VsockStream::FinishWriting() {
  if (!std::exchange(finished_writing_, true)) shutdown(fd_.get(), SHUT_WR);
}

void VsockStream::FinishReading() {
  if (!std::exchange(finished_reading_, true)) shutdown(fd_.get(), SHUT_RD);
}

}  // namespace capsem::process
