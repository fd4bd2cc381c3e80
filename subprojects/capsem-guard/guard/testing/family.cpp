#include "guard/testing/family.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/status.h"

namespace capsem {
namespace {

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int fds[2];
    ENSURE(pipe2(fds, O_CLOEXEC) == 0);
    read.Reset(fds[0]);
    write.Reset(fds[1]);
  }
};

std::string ReadLine(int fd) {
  std::string line;
  for (char c = 0; read(fd, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

void AwaitEnd(int fd) {
  for (char c; read(fd, &c, 1) > 0;) {
  }
}

int StatusOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

void Family::Child::Say(const std::string& line) {
  ENSURE(write(tell_, (line + "\n").data(), line.size() + 1) > 0);
}

void Family::Child::AwaitOrphaned() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  ENSURE(sigprocmask(SIG_BLOCK, &wanted, nullptr) == 0);
  ENSURE(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
  int signal = 0;
  if (getppid() == parent) ENSURE(sigwait(&wanted, &signal) == 0);
}

Family::Family(const std::function<int(Child&)>& run) {
  ENSURE(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  Pipe told, leave;
  parent_ = fork();
  ENSURE(parent_ >= 0);
  if (parent_ == 0) {
    // The test framework's handlers are not for these two.
    for (int number = 1; number < SIGRTMAX; ++number) signal(number, SIG_DFL);
    leave.write.Reset();
    const pid_t self = getpid();
    const pid_t child = fork();
    if (child == 0) {
      leave.read.Reset();
      Child the_child(self, told.write.get());
      the_child.Say(std::to_string(getpid()));
      _exit(run(the_child));
    }
    told.write.Reset();
    AwaitEnd(leave.read.get());
    _exit(0);
  }
  told.write.Reset();
  told_ = std::move(told.read);
  leave_ = std::move(leave.write);
  child_ = static_cast<pid_t>(std::stol(Hear()));
}

Family::~Family() {
  if (parent_ != 0) EndParent(SIGKILL);
  if (child_ == 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

std::string Family::Hear() { return ReadLine(told_.get()); }

void Family::EndParent(int signal) {
  if (signal == 0)
    leave_.Reset();
  else
    kill(parent_, signal);
  ENSURE(waitpid(parent_, nullptr, 0) == parent_);
  parent_ = 0;
}

void Family::EndParentWithoutReaping() {
  kill(parent_, SIGKILL);
  siginfo_t info{};
  ENSURE(waitid(P_PID, static_cast<id_t>(parent_), &info, WEXITED | WNOWAIT) == 0);
}

int Family::ChildStatus() {
  AwaitEnd(told_.get());
  if (parent_ != 0) EndParent(SIGKILL);  // only now is the child given to the test
  int status = 0;
  ENSURE(waitpid(child_, &status, 0) == child_);
  child_ = 0;
  return StatusOf(status);
}

}  // namespace capsem
