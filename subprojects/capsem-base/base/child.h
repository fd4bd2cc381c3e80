// A child process: the spec is data, the child is an owner. Its end is heard through a pidfd; the
// destructor kills what still runs and reaps it, so a Child cannot leak a process.
#pragma once

#include <absl/functional/any_invocable.h>
#include <linux/filter.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"

namespace capsem {

// In ChildSpec::filter, a comparison with this constant becomes one with the child's own pid. Above
// every pid that Linux gives (4194304).
constexpr uint32_t kFilterOwnPid = 0x7f00c0de;
// A child with a filter is executed through this descriptor, by execveat, and has as its limit that
// many: neither it nor whatever it starts can ever have a descriptor of this number again. A filter
// that allows execveat of this one, and no other way to execute, so allows it once.
constexpr int kExecFd = 1023;

struct ChildSpec {
  std::string program;            // a path; PATH is not searched
  std::vector<std::string> args;  // without argv[0], which is `program`
  std::vector<std::string> env;   // "KEY=value"; the child gets these and nothing else
  std::string cwd = "/";
  // Become the child's descriptors 3, 4, 5, … in this order; every other descriptor above 2 is
  // closed.
  std::vector<UniqueFd> fds;
  // Borrowed for the call; -1 = /dev/null.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  int parent_death_signal = 0;  // 0 = none; follows the thread that spawns: the main thread
  bool new_session = false;     // setsid: signals of the terminal do not reach it
  bool no_new_privs = true;
  // Put on (seccomp) as the last thing before the program is executed; empty = none. It must allow
  // execveat of kExecFd, and write and exit_group to tell that this has failed.
  std::vector<sock_filter> filter;
  std::optional<uid_t> uid;  // with the same number as gid, and no supplementary groups
  // Borrowed for the call: a folder of cgroup v2 that the child is to be born in; -1 = where its
  // parent is. It is born there too when the kernel does not let it in: group_refusal() says why.
  int group_fd = -1;
};

// How a process ended.
struct ExitReason {
  int code = 0;    // exit code, when signal is 0
  int signal = 0;  // the signal that ended it, else 0
  bool clean() const { return code == 0 && signal == 0; }
  std::string ToString() const;  // "exit code 3", "signal 9 (Killed)"
};

class Child {
 public:
  using OnExit = absl::AnyInvocable<void(ExitReason)>;

  // From the main thread. `on_exit` comes once, from the loop. A program that cannot be executed is
  // an error here.
  static StatusOr<std::unique_ptr<Child>> Spawn(Loop& loop, ChildSpec spec, OnExit on_exit);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }
  bool running() const { return running_; }
  // Ok, unless the spec has a group_fd and the child is not there.
  const Status& group_refusal() const { return group_refusal_; }
  // Nothing happens when it has ended already.
  void Signal(int signal);
  // From here on it is nobody's: it lives on when this is gone, and its end is not told.
  void Release();
  // TERM now, KILL after `grace`; the end is told by on_exit as ever.
  void Stop(std::chrono::milliseconds grace);

 private:
  Child(Loop& loop, pid_t pid, UniqueFd pidfd, OnExit on_exit);
  void OnEnded();

  const pid_t pid_;
  UniqueFd pidfd_;
  OnExit on_exit_;
  Status group_refusal_;
  bool running_ = true;
  Timer kill_timer_;
  FdWatch watch_;
};

}  // namespace capsem
