#include "ready_pipe.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/log.h"
#include "base/unique_fd.h"

namespace capsem::service {
namespace {

constexpr int kFirstFd = STDERR_FILENO + 1;

void Say(int fd, const std::string& words) {
  if (fd < kFirstFd) return;
  const UniqueFd pipe(fd);
  if (write(pipe.get(), words.data(), words.size()) < 0)
    log::Debug("nobody waits for us to listen");
}

std::string OneLine(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text + '\n';
}

}  // namespace

void SayReady(int fd) { Say(fd, "listening\n"); }

void SayFailed(int fd, const Status& why) {
  Say(fd, "failed\n" + OneLine(std::string(Message(why))) + OneLine(Remedy(why)));
}

int FindReadyFd(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (strcmp(argv[i], "--ready-fd") == 0) return std::max(atoi(argv[i + 1]), -1);
  }
  return -1;
}

}  // namespace capsem::service
