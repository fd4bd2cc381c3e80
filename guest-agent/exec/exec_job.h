// One command from its request to its exit, which is the last thing it says:
//
//   starting ──the program runs──► running ──its first process ended──► draining ──► ended
//      └──────────────it cannot be executed, or was killed before─────────────────────┘
//
// draining: what lay in the pipes when the first process ended is sent; then comes the exit, and
// what survives (`sleep 60 &`) lives on without an audience: its output is read to nowhere by a
// process of its own. The job is `gone` when nothing of it is left, not even that.
// Owned by the exec table; on the loop.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/fd_watch.h"
#include "base/timer.h"
#include "base/weak.h"
#include "exec/exec_channel.h"
#include "exec/spare_process.h"

namespace capsem::agent {

// The exit code of a command that was never tried, for a reason of ours (as docker).
inline constexpr int kNotTried = 125;

class ExecJob {
 public:
  // `on_change` comes when the job stops running, has said its exit, or is gone; it may not destroy
  // the job.
  ExecJob(ExecServices& services, SpareProcess& spare, ExecChannel& channel, ExecSpec spec,
          absl::AnyInvocable<void()> on_change);
  ExecJob(const ExecJob&) = delete;
  ExecJob& operator=(const ExecJob&) = delete;

  // Ends at once, with an exit that says why, when it cannot even be tried.
  void Start();
  // To the process group of the command; KILL to everything it has started, also when only
  // survivors are left.
  void Signal(int signal);

  uint64_t id() const { return spec_.id; }
  // Its first process has not ended.
  bool running() const { return process_.pid > 0 && !wait_status_; }
  bool gone() const { return gone_; }

 private:
  struct Output {
    wire::FrameKind kind;
    std::unique_ptr<ExecOutput> pipe;
    std::optional<size_t> left;  // while draining: how much is still to be read
    bool ended = false;          // to be closed
  };

  void WatchFailurePipe();
  void OnFailurePipe();
  void OnOutput(Output& output);
  void OnRunning();
  void OnTimeout();
  void OnProcessEnd(int wait_status);
  void ReadOutput(Output& output);
  // Asks for output where there is room for it; while draining, takes what is left.
  void GoOn();
  void Drain();
  size_t WriteStdin(std::string_view bytes);
  void EndStdin();
  void Resize(PtySize size);
  void CloseStdin();
  void SendExit();
  void TidyLater();
  void Tidy();
  void LeaveOutput();
  void Refuse(const Status& why);

  ExecServices& services_;
  SpareProcess& spare_;
  ExecChannel& channel_;
  const ExecSpec spec_;
  absl::AnyInvocable<void()> on_change_;
  std::unique_ptr<ExecGroup> group_;
  ExecProcess process_;
  const Clock::TimePoint started_at_ = Clock::Now();
  Clock::TimePoint ended_at_;
  std::optional<int> wait_status_;
  std::optional<ExecFailure> failure_;
  bool timed_out_ = false;
  bool exit_sent_ = false;
  bool tidying_ = false;
  bool gone_ = false;
  Timer timeout_;
  Timer look_;  // at the failure pipe
  std::array<Output, 2> outputs_;
  std::unique_ptr<FdWatch> failure_watch_, stdin_watch_;  // after the pipes: destroyed first
  WeakOwner<ExecJob> weak_{this};
};

}  // namespace capsem::agent
