// A program that is run for what it prints: started, listened to, and ended when it takes too long.
// Owned by whoever waits for the answer; destroying it ends the program. Loop thread.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_stream.h"
#include "base/child.h"
#include "base/status.h"
#include "base/timer.h"

namespace capsem::service {

class ShortRun {
 public:
  struct Spec {
    std::string program;
    std::vector<std::string> args;
    std::chrono::milliseconds limit;
    size_t max_output = 4096;  // bytes; what comes after is dropped
  };
  // What it printed. Not Ok: it could not be started (NotFound: there is no such program), or ended
  // with an error.
  using Done = absl::AnyInvocable<void(StatusOr<std::string>)>;

  // `done` comes once, from the loop, and may destroy this.
  ShortRun(Loop& loop, Spec spec, Done done);
  ShortRun(const ShortRun&) = delete;
  ShortRun& operator=(const ShortRun&) = delete;

 private:
  Status Start();
  void TellWhenOver();

  Loop& loop_;
  const Spec spec_;
  Done done_;
  std::string output_;
  bool output_ended_ = false;
  bool too_slow_ = false;
  std::optional<ExitReason> exit_;
  std::unique_ptr<Child> child_;
  std::unique_ptr<ByteStream> stream_;
  Timer limit_;
  WeakOwner<ShortRun> weak_{this};
};

}  // namespace capsem::service
