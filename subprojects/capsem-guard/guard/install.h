// What every companion calls first: refuse to stand alone, be the only one, leave with the parent.
// Each of these ends with status 0: none is a failure, and nobody shall restart it.
//
//   const auto guard = TRY(Guard::Install(loop, {parent, dir.runtime + "/gateway.lock"}));
//   if (!guard) return 0;
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "guard/parent_watch.h"
#include "guard/single_instance.h"

namespace capsem {

struct GuardSpec {
  std::optional<pid_t> parent;  // ParsePid of --parent-pid
  std::string lock_path;        // "" = as many as are started
};

// Held until the end of main. From the main thread, once in a process.
class Guard {
 public:
  // nullptr: there is no such parent, or another one is at work already; leave with 0. It has been
  // logged. From here on the process ends with 0 when the parent does, within a signal's time, also
  // while the loop is busy.
  static StatusOr<std::unique_ptr<Guard>> Install(Loop& loop, const GuardSpec& spec);

 private:
  Guard(std::unique_ptr<ParentWatch> parent, std::optional<SingleInstance> instance)
      : parent_(std::move(parent)), instance_(std::move(instance)) {}

  std::unique_ptr<ParentWatch> parent_;
  std::optional<SingleInstance> instance_;
};

}  // namespace capsem
