// Keeps a companion alive: starts it when told, again after it has ended, later each time, and ends
// it with the service. Owned by app; loop thread.
//
// A companion says one line on its descriptor 3 when it is ready; that line is its state. How it
// dies with us is its own business (guard/install.h).
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/byte_stream.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/weak.h"

namespace capsem::service {

struct CompanionSpec {
  using Found = absl::AnyInvocable<void(StatusOr<std::string>)>;

  std::string name;  // for people: "capsem-gateway"
  // The path of its program, asked before each start: it may have been replaced since.
  absl::AnyInvocable<void(Found)> find_program;
  // Besides --parent-pid and --ready-fd.
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string log_path;
  // Files that it writes for others: none is left of one that has ended.
  std::vector<std::string> files;
  Backoff backoff{std::chrono::milliseconds(100), std::chrono::seconds(30)};
};

class Companion {
 public:
  Companion(Loop& loop, CompanionSpec spec);
  ~Companion();
  Companion(const Companion&) = delete;
  Companion& operator=(const Companion&) = delete;

  void Start();
  // For good.
  void Stop();
  bool ready() const { return ready_; }
  // What it said when it was ready; else a sentence that says why it is not.
  const std::string& state() const { return state_; }
  // 0 = it does not run.
  pid_t pid() const { return child_ ? child_->pid() : 0; }

 private:
  void OnProgram(const StatusOr<std::string>& program);
  Status Spawn(const std::string& program);
  void OnReadyBytes(std::string_view bytes);
  void OnExit(const ExitReason& reason);
  void TryLater(const std::string& why);
  void RemoveFiles();

  Loop& loop_;
  CompanionSpec spec_;
  std::string state_ = "not started";
  bool ready_ = false;
  bool stopped_ = false;
  int failures_ = 0;  // in a row
  Clock::TimePoint started_;
  std::string said_;
  std::unique_ptr<ByteStream> ready_pipe_;
  std::unique_ptr<Child> child_;
  Timer timer_;  // until the next start, or until it must have said that it is ready
  WeakOwner<Companion> weak_{this};
};

}  // namespace capsem::service
