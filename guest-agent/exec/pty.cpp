#include "exec/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>

namespace capsem::agent {
namespace {

constexpr int kOwn = O_RDWR | O_NOCTTY | O_CLOEXEC;

UniqueFd OpenMaster(int ptmx_fd, int proc_fd) {
  if (ptmx_fd < 0) return UniqueFd(open("/dev/ptmx", kOwn | O_NONBLOCK));
  const std::string again = fmt::format("self/fd/{}", ptmx_fd);
  return UniqueFd(openat(proc_fd, again.c_str(), kOwn | O_NONBLOCK));
}

}  // namespace

StatusOr<Pty> OpenPty(int ptmx_fd, int proc_fd, PtySize size) {
  Pty pty;
  pty.master = OpenMaster(ptmx_fd, proc_fd);
  if (!pty.master.valid()) return FromErrno("open a terminal");
  int locked = 0;
  if (ioctl(pty.master.get(), TIOCSPTLCK, &locked) != 0) return FromErrno("unlock a terminal");
  pty.peer = UniqueFd(ioctl(pty.master.get(), TIOCGPTPEER, kOwn));
  if (!pty.peer.valid()) return FromErrno("open the other end of a terminal");
  ResizePty(pty.master.get(), size);
  return pty;
}

void ResizePty(int master, PtySize size) {
  const winsize window{.ws_row = size.rows, .ws_col = size.cols, .ws_xpixel = 0, .ws_ypixel = 0};
  ioctl(master, TIOCSWINSZ, &window);
}

}  // namespace capsem::agent
