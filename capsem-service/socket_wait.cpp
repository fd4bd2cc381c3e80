#include "socket_wait.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>

#include "base/unix_socket.h"

namespace capsem::service {

SocketWait::SocketWait(Loop& loop, std::string path, std::chrono::milliseconds limit,
                       absl::AnyInvocable<void(Status)> done)
    : loop_(loop), path_(std::move(path)), done_(std::move(done)), limit_(loop) {
  const Status watching = WatchFolder();
  if (!watching.ok()) {
    Tell(watching);
    return;
  }
  limit_.Start(limit, [this, limit] {
    Tell(DeadlineExceeded("no service listened at {} within {} ms", path_, limit.count()));
  });
  // After the watch has begun, so that nothing happens in between unseen.
  Look();
}

Status SocketWait::WatchFolder() {
  inotify_ = UniqueFd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify_.valid()) return FromErrno("inotify");
  const std::string folder = path_.substr(0, path_.rfind('/'));
  if (inotify_add_watch(inotify_.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO) < 0) {
    return FromErrno("watch {}", folder);
  }
  watch_ = std::make_unique<FdWatch>(loop_, inotify_.get(), [this](int) {
    std::array<char, 4096> events;
    while (read(inotify_.get(), events.data(), events.size()) > 0) {
    }
    Look();
  });
  watch_->Want(FdWatch::kReadable);
  return OkStatus();
}

void SocketWait::Look() {
  if (ConnectUnix(path_).ok()) Tell(OkStatus());
}

void SocketWait::Tell(const Status& status) {
  watch_ = nullptr;
  limit_.Cancel();
  loop_.Post([self = weak_.Get(), status] {
    if (!self || !self->done_) return;
    auto done = std::move(self->done_);
    done(status);
  });
}

}  // namespace capsem::service
