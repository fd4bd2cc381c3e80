#include "exec/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/testing/status_matchers.h"

namespace capsem::agent {
namespace {

PtySize SizeOf(int fd) {
  winsize window{};
  REQUIRE(ioctl(fd, TIOCGWINSZ, &window) == 0);
  return {window.ws_row, window.ws_col};
}

}  // namespace

TEST_CASE("both ends of a terminal have its size, also when it changes") {
  const bool by_descriptor = GENERATE(false, true);
  const UniqueFd ptmx(open("/dev/ptmx", O_PATH | O_CLOEXEC));
  const UniqueFd proc(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Pty pty =
      VALUE_OF(OpenPty(by_descriptor ? ptmx.get() : -1, by_descriptor ? proc.get() : -1, {7, 9}));
  REQUIRE(isatty(pty.peer.get()) == 1);
  REQUIRE(SizeOf(pty.peer.get()).rows == 7);
  REQUIRE(SizeOf(pty.peer.get()).cols == 9);
  ResizePty(pty.master.get(), {50, 65535});
  REQUIRE(SizeOf(pty.peer.get()).rows == 50);
  REQUIRE(SizeOf(pty.peer.get()).cols == 65535);
}

TEST_CASE("a terminal is nobody's controlling one, and its master does not wait") {
  const Pty pty = VALUE_OF(OpenPty(-1, -1, {}));
  char byte;
  REQUIRE(read(pty.master.get(), &byte, 1) == -1);
  REQUIRE(errno == EAGAIN);
  REQUIRE((fcntl(pty.peer.get(), F_GETFL) & O_NONBLOCK) == 0);
  REQUIRE((fcntl(pty.peer.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

}  // namespace capsem::agent
