// The agent's end of a command's stdout or stderr. It is watched from before there is a command
// (spare_process.h): to begin and end a watch takes several system calls, which nobody shall wait
// for. On the loop.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>

#include "base/fd_watch.h"
#include "base/unique_fd.h"

namespace capsem::agent {

class ExecOutput {
 public:
  // An invalid `pipe`: there is none, as the stderr of a terminal; as one that is closed.
  ExecOutput(Loop& loop, UniqueFd pipe);
  ExecOutput(const ExecOutput&) = delete;
  ExecOutput& operator=(const ExecOutput&) = delete;

  // From now on; may close the pipe.
  void Listen(absl::AnyInvocable<void()> on_readable) { on_readable_ = std::move(on_readable); }
  void Pause(bool paused);
  // As read(2).
  ssize_t Read(char* bytes, size_t size);
  // How much lies in the pipe; 0 when it is closed.
  size_t Available() const;
  // Its writers are gone, and all was read.
  bool AtEnd();
  void Close() { Release(); }
  // The pipe, which is listened to no more.
  UniqueFd Release();
  bool open() const { return pipe_.valid(); }

 private:
  void OnReadable();

  UniqueFd pipe_;
  absl::AnyInvocable<void()> on_readable_;
  std::unique_ptr<FdWatch> watch_;  // after pipe_: destroyed first
};

}  // namespace capsem::agent
