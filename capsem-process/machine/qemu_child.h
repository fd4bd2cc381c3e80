// QEMU as our direct child: the command line with its holes filled, spawned with a parent-death
// KILL and an empty environment; its stderr goes to our log line by line, bounded, and its last
// lines are kept for the reason of its death. The destructor kills it. Owned by QemuMachine, on the
// loop.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "machine/byte_budget.h"
#include "machine/text_tail.h"

namespace capsem::process {

struct QemuChildSpec {
  std::vector<std::string> argv;  // the first is the program's path; holes as "{fd:NAME}"
  std::map<std::string, UniqueFd> files = {};  // by NAME
  std::string cwd = "/";
  std::vector<sock_filter> filter = {};  // of system calls, from before its first instruction
};

// "{fd:NAME}" inside any argument becomes the number of NAME. InvalidArgument: a hole without a
// number, an unfinished hole, or a number that no hole asks for.
StatusOr<std::vector<std::string>> FillHoles(const std::vector<std::string>& argv,
                                             const std::map<std::string, int>& numbers);

class QemuChild {
 public:
  // `on_exit` comes once, from the loop, after all that QEMU wrote to stderr.
  static StatusOr<std::unique_ptr<QemuChild>> Spawn(Loop& loop, QemuChildSpec spec,
                                                    Child::OnExit on_exit);
  QemuChild(const QemuChild&) = delete;
  QemuChild& operator=(const QemuChild&) = delete;

  void Kill();
  pid_t pid() const { return child_->pid(); }
  bool running() const { return child_->running(); }
  const TextTail& stderr_tail() const { return tail_; }

 private:
  QemuChild(Loop& loop, UniqueFd stderr_pipe, Child::OnExit on_exit);
  // Whether there may be more to read.
  bool ReadStderr();
  void LogLines(std::string_view bytes);
  void OnExit(ExitReason reason);

  UniqueFd stderr_pipe_;
  Child::OnExit on_exit_;
  TextTail tail_;
  std::string line_;
  ByteBudget log_budget_;
  std::unique_ptr<Child> child_;
  FdWatch stderr_watch_;  // after stderr_pipe_: destroyed first
};

}  // namespace capsem::process
