#include "lost_output.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "base/testing/status_matchers.h"

namespace capsem::cli {
namespace {

// How a program ends that has lost its output by `error` and would else exit with 7.
int EndOf(int error, bool caller_ignores_sigpipe) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGPIPE, caller_ignores_sigpipe ? SIG_IGN : SIG_DFL);
    NoteSigpipe();
    signal(SIGPIPE, SIG_IGN);  // as a library does
    EndIfReaderLeft(Annotate(LostOutput("stdout", error), "printing"));
    _exit(7);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("lost output is one error, whatever the reason") {
  for (const int error : {ENOSPC, EBADF, EIO, EPIPE}) {
    const Status lost = LostOutput("stdout", error);
    REQUIRE_CODE(lost, kDataLoss);
    CHECK(Message(lost).find("stdout cannot be written: ") == 0);
    CHECK_FALSE(Remedy(lost).empty());
  }
}

TEST_CASE("a reader that has left ends the program by SIGPIPE, unless its caller ignores that") {
  CHECK(EndOf(EPIPE, false) == -SIGPIPE);
  CHECK(EndOf(EPIPE, true) == 7);
  CHECK(EndOf(ENOSPC, false) == 7);
  EndIfReaderLeft(Internal("something else"));
}

}  // namespace capsem::cli
