// One capsem-process: launched, or taken over from an earlier service; heard when it listens;
// noticed when it and its QEMU are gone. Owned by a session's slot; loop thread. Destroying it
// kills both, unless they were left, and does not wait for QEMU, which dies with its parent.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_stream.h"
#include "base/child.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "capsem/process/v1/process.pb.h"
#include "supervise/machine_groups.h"
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
  std::unique_ptr<MachineGroup> group = nullptr;  // that it is born in; may be null
};

// The capsem-process that another service launched for a session, proved to be it by `pidfd`.
struct AdoptedProcess {
  pid_t pid = 0;
  UniqueFd pidfd;
  std::string session_dir;
  std::unique_ptr<MachineGroup> group = nullptr;  // that it lives in; may be null
};

// How one ended.
struct ProcessEnd {
  std::string reason;  // a sentence
  // Known only of one that was taken over: its machine powered off; to begin anew.
  bool clean = false;
  bool restart = false;
};

class ProcessHost {
 public:
  struct Events {
    absl::AnyInvocable<void()> on_listening;
    // Once, and the last event: nothing of the machine lives any more.
    absl::AnyInvocable<void(ProcessEnd)> on_gone;
  };

  static StatusOr<std::unique_ptr<ProcessHost>> Launch(Loop& loop, ProcessSpec spec, Events events);
  // Nothing is heard of it but its end.
  static std::unique_ptr<ProcessHost> Adopt(Loop& loop, AdoptedProcess process, Events events);
  ~ProcessHost();
  ProcessHost(const ProcessHost&) = delete;
  ProcessHost& operator=(const ProcessHost&) = delete;

  pid_t pid() const { return child_ ? child_->pid() : adopted_->pid(); }
  // The pid of its QEMU, as it said; a pid that is no child of it is not believed.
  void HoldMachine(pid_t pid);
  pid_t machine_pid() const { return machine_ ? machine_->pid() : 0; }
  // What limits it and its QEMU beside rlimits (MachineGroup::text); "" = it was not asked for.
  std::string group_text() const { return group_ ? group_->text() : std::string(); }
  // Both at once; on_gone tells when that is so, and why it was, if `why` says so.
  void Kill(std::string why = {});
  // To go on without us: from here on nothing is told and nothing ended.
  void Leave();

 private:
  ProcessHost(Loop& loop, std::string session_dir, Events events);
  Status Start(ProcessSpec spec);
  void OnReadyBytes(std::string_view bytes);
  bool running() const { return child_ ? child_->running() : !adopted_->gone(); }
  void OnExit(ExitReason reason);
  void OnAdoptedGone();
  void OnProcessGone(ProcessEnd end);
  void TellWhenAllGone();

  Loop& loop_;
  const std::string session_dir_;
  Events events_;
  std::string ready_word_;
  std::string killed_because_;  // why we killed it; empty = we did not
  std::optional<ProcessEnd> end_;
  bool left_ = false;
  std::unique_ptr<MachineGroup> group_;  // goes after those who live in it
  std::unique_ptr<ByteStream> ready_;
  std::unique_ptr<Child> child_;    // of our own launch; else
  std::unique_ptr<Stray> adopted_;  // of another's
  std::unique_ptr<Stray> machine_;
  Timer start_limit_;
};

}  // namespace capsem::service
