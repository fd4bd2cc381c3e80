#include "own_stream.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <string>

namespace capsem::cli {
namespace {

bool IsPollable(int fd) {
  const UniqueFd poll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  return epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// A description of our own for the same pipe or terminal; invalid when there cannot be one.
UniqueFd OpenAgain(int fd, int access) {
  struct stat found {};
  if (fstat(fd, &found) != 0 || !(S_ISFIFO(found.st_mode) || S_ISCHR(found.st_mode)))
    return UniqueFd();
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(open(path.c_str(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

}  // namespace

OwnStream::OwnStream(int fd, int access) : pollable_(IsPollable(fd)) {
  if (pollable_) fd_ = OpenAgain(fd, access);
  if (fd_.valid()) return;
  fd_.Reset(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!pollable_ || !fd_.valid()) return;
  const int flags = fcntl(fd_.get(), F_GETFL);
  if ((flags & O_NONBLOCK) != 0) return;
  shared_flags_ = flags;
  fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
}

OwnStream::~OwnStream() {
  if (shared_flags_ >= 0) fcntl(fd_.get(), F_SETFL, shared_flags_);
}

}  // namespace capsem::cli
