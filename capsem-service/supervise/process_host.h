// One capsem-process: launched, heard when it listens, noticed when it and its QEMU are gone. Owned
// by a session's slot; loop thread. Destroying it kills both and does not wait for QEMU, which dies
// with its parent.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <vector>

#include "base/byte_stream.h"
#include "base/child.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "capsem/process/v1/process.pb.h"
#include "supervise/stray.h"

namespace capsem::service {

struct ProcessFile {
  std::string hole;  // its name in QEMU's command line
  UniqueFd fd;
  bool writable = false;
};

struct ProcessSpec {
  std::string program;
  std::vector<std::string> env;
  capsem::process::v1::LaunchSpec
      launch;  // `session_dir` is its folder too; holes of files are added from `files`
  std::vector<ProcessFile> files;
};

class ProcessHost {
 public:
  struct Events {
    absl::AnyInvocable<void()> on_listening;
    // Once, and the last event: nothing of the machine lives any more. `reason` is a sentence.
    absl::AnyInvocable<void(std::string reason)> on_gone;
  };

  static StatusOr<std::unique_ptr<ProcessHost>> Launch(Loop& loop, ProcessSpec spec, Events events);
  ProcessHost(const ProcessHost&) = delete;
  ProcessHost& operator=(const ProcessHost&) = delete;

  pid_t pid() const { return child_->pid(); }
  // The pid of its QEMU, as it said; a pid that is no child of it is not believed.
  void HoldMachine(pid_t pid);
  pid_t machine_pid() const { return machine_ ? machine_->pid() : 0; }
  // Both at once; on_gone tells when that is so.
  void Kill();

 private:
  ProcessHost(Loop& loop, std::string log_path, Events events);
  Status Start(ProcessSpec spec);
  void OnReadyBytes(std::string_view bytes);
  void OnExit(ExitReason reason);
  void TellWhenAllGone();

  Loop& loop_;
  const std::string log_path_;
  Events events_;
  std::string ready_word_;
  std::string killed_because_;  // why we killed it; empty = we did not
  std::string reason_;          // why it ended; empty = it lives
  std::unique_ptr<ByteStream> ready_;
  std::unique_ptr<Child> child_;
  std::unique_ptr<Stray> machine_;
  Timer start_limit_;
};

}  // namespace capsem::service
