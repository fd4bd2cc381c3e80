// One process per lock file: held from Acquire to the end of the object or of the process, however
// it ends. The lock is the truth; what is written into the file ("PID\n", or "PID NOTE\n") is for
// people, and for whoever waits for its end.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem {

class SingleInstance {
 public:
  // nullopt: somebody else has it, also another object of this process. The file's folder must
  // exist; the file itself is made at 0600 and never removed. An error is about the path.
  static StatusOr<std::optional<SingleInstance>> Acquire(const std::string& path,
                                                         std::string_view note = {});

 private:
  explicit SingleInstance(UniqueFd file) : file_(std::move(file)) {}

  UniqueFd file_;
};

}  // namespace capsem
