// How far a copy has come, on one line of a terminal that is written over; elsewhere nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace capsem::cli {

class Progress {
 public:
  enum class Shown { kIfTerminal, kNever };
  // On `fd`, which is stderr.
  explicit Progress(Shown shown, int fd = 2);
  // The line is gone.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // From now on it is about this one; `size`: 0 = nobody knows.
  void Begin(const std::string& name, uint64_t size);
  void Add(size_t bytes);
  uint64_t total() const { return total_; }

 private:
  void Show();

  const bool shown_;
  const int fd_;
  std::string name_;
  uint64_t size_ = 0;
  uint64_t done_ = 0;   // of this one
  uint64_t total_ = 0;  // of all
  std::optional<Clock::TimePoint> last_;
};

}  // namespace capsem::cli
