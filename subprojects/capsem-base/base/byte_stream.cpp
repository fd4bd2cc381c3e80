#include "base/byte_stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace capsem {
namespace {

constexpr size_t kChunk = 64 * 1024;
// What one system call takes of a write in pieces; the rest is buffered.
constexpr size_t kPieces = 64;

}  // namespace

ByteStream::ByteStream(Loop& loop, UniqueFd fd, Events events)
    : fd_(std::move(fd)),
      events_(std::move(events)),
      watch_(loop, fd_.get(), [this](int ready) { OnReady(ready); }) {
  const int flags = fcntl(fd_.get(), F_GETFL);
  fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
  UpdateWatch();
}

bool ByteStream::Write(std::span<const std::string_view> pieces) {
  ENSURE(!finishing_);
  if (ended_) return true;
  // The straight path: nothing waits, so the kernel may take it now. Errors are met again, and
  // told, by the loop.
  size_t sent = buffered() == 0 ? WriteNow(pieces) : 0;
  for (const std::string_view piece : pieces) {
    const size_t skipped = std::min(sent, piece.size());
    sent -= skipped;
    out_.append(piece.substr(skipped));
  }
  // Over stays over until it is told: somebody may be waiting for on_drained.
  over_high_water_ = over_high_water_ || buffered() > high_water_;
  UpdateWatch();
  return !over_high_water_;
}

size_t ByteStream::WriteNow(std::span<const std::string_view> pieces) {
  iovec vectors[kPieces];
  const size_t count = std::min(pieces.size(), kPieces);
  for (size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
  }
  const ssize_t sent = writev(fd_.get(), vectors, static_cast<int>(count));
  return static_cast<size_t>(std::max<ssize_t>(sent, 0));
}

void ByteStream::FinishWriting() {
  if (ended_ || finishing_) return;
  finishing_ = true;
  if (buffered() == 0) shutdown(fd_.get(), SHUT_WR);
}

void ByteStream::PauseReading(bool paused) {
  paused_ = paused;
  UpdateWatch();
}

void ByteStream::UpdateWatch() {
  if (ended_) return watch_.Want(0);
  watch_.Want((paused_ ? 0 : FdWatch::kReadable) | (buffered() > 0 ? FdWatch::kWritable : 0));
}

void ByteStream::OnReady(int events) {
  if ((events & FdWatch::kWritable) != 0 && !Flush()) return;
  if ((events & FdWatch::kReadable) != 0 && !paused_ && !ended_) ReadSome();
}

bool ByteStream::ReadSome() {
  static thread_local char chunk[kChunk];
  const ssize_t count = read(fd_.get(), chunk, sizeof chunk);
  const auto self = weak_.Get();
  if (count > 0) {
    // From the stack, so that the callback may destroy the stream or give it new events while it
    // runs.
    auto on_bytes = std::move(events_.on_bytes);
    on_bytes(std::string_view(chunk, static_cast<size_t>(count)));
    if (self && !events_.on_bytes) events_.on_bytes = std::move(on_bytes);
  } else if (count == 0 ||
             errno ==
                 EIO) {  // EIO: how a PTY master says that the last user has closed the terminal
    End(OkStatus());
  } else if (errno != EAGAIN && errno != EINTR) {
    End(FromErrno("read"));
  }
  return static_cast<bool>(self);
}

bool ByteStream::Flush() {
  while (buffered() > 0) {
    const ssize_t sent = write(fd_.get(), out_.data() + out_start_, buffered());
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) {
      const auto self = weak_.Get();
      End(FromErrno("write"));
      return static_cast<bool>(self);
    }
    out_start_ += static_cast<size_t>(sent);
  }
  // Moving what is left to the front only now and then keeps the cost per byte constant.
  if (buffered() == 0 || out_start_ > kHighWater) {
    out_.erase(0, out_start_);
    out_start_ = 0;
  }
  UpdateWatch();
  if (buffered() > 0) return true;
  if (finishing_) shutdown(fd_.get(), SHUT_WR);
  if (!over_high_water_) return true;
  over_high_water_ = false;
  const auto self = weak_.Get();
  auto on_drained = std::move(events_.on_drained);
  on_drained();
  if (self && !events_.on_drained) events_.on_drained = std::move(on_drained);
  return static_cast<bool>(self);
}

void ByteStream::End(Status status) {
  if (ended_) return;
  ended_ = true;
  UpdateWatch();
  auto on_end = std::move(events_.on_end);
  on_end(std::move(status));
}

StatusOr<std::pair<UniqueFd, UniqueFd>> SocketPair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return FromErrno("socketpair");
  return std::pair<UniqueFd, UniqueFd>(fds[0], fds[1]);
}

}  // namespace capsem
