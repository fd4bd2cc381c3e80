#include "lost_output.h"

#include <absl/strings/cord.h>
#include <signal.h>

#include <cerrno>
#include <cstring>

namespace capsem::cli {
namespace {

constexpr char kReaderLeft[] = "capsem.reader_left";

bool caller_ignores_sigpipe = false;

}  // namespace

void NoteSigpipe() {
  struct sigaction now {};
  sigaction(SIGPIPE, nullptr, &now);
  caller_ignores_sigpipe = now.sa_handler == SIG_IGN;
}

Status LostOutput(std::string_view stream, int error) {
  Status lost = WithRemedy(DataLoss("{} cannot be written: {}", stream, strerror(error)),
                           "send it where there is room and somebody reads");
  if (error == EPIPE) lost.SetPayload(kReaderLeft, absl::Cord());
  return lost;
}

void EndIfReaderLeft(const Status& status) {
  if (!status.GetPayload(kReaderLeft) || caller_ignores_sigpipe) return;
  signal(SIGPIPE, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGPIPE);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  raise(SIGPIPE);
}

}  // namespace capsem::cli
