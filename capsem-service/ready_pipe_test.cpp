#include "ready_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <functional>

#include "base/testing/status_matchers.h"
#include "base/unique_fd.h"

namespace capsem::service {
namespace {

// All that is said on a pipe until its end.
std::string Heard(const std::function<void(int)>& say) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const UniqueFd read_end(ends[0]);
  say(ends[1]);
  std::string said(1000, '\0');
  said.resize(static_cast<size_t>(read(read_end.get(), said.data(), said.size())));
  char more;
  REQUIRE(read(read_end.get(), &more, 1) == 0);
  return said;
}

int Find(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return FindReadyFd(static_cast<int>(argv.size()), argv.data());
}

}  // namespace

TEST_CASE("whoever started the service hears that it serves, or why it does not, and the end") {
  REQUIRE(Heard(SayReady) == "listening\n");
  REQUIRE(Heard([](int fd) { SayFailed(fd, WithRemedy(Internal("two\nlines"), "help")); }) ==
          "failed\ntwo lines\nhelp\n");
  REQUIRE(Heard([](int fd) { SayFailed(fd, Internal("broken")); }) == "failed\nbroken\n\n");
}

TEST_CASE("nobody may be there to hear it, and stdout is nobody") {
  SayReady(-1);
  SayReady(1);
  REQUIRE(fcntl(1, F_GETFD) >= 0);
}

TEST_CASE("the descriptor is found in any command line") {
  REQUIRE(Find({"capsem-service", "--nonsense", "--ready-fd", "7"}) == 7);
  REQUIRE(Find({"capsem-service", "--ready-fd", "x"}) == 0);
  REQUIRE(Find({"capsem-service", "--ready-fd"}) == -1);
  REQUIRE(Find({"capsem-service"}) == -1);
}

}  // namespace capsem::service
