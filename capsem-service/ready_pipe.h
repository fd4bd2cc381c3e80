// The word of a new service to whoever has started it, on a pipe that it inherits (--ready-fd): it
// serves, or why it does not. The log may be out of reach just then, on a full disk for example.
//
//   listening\n
//   failed\nCAUSE\nREMEDY\n
//
// Main thread; once, of either. The descriptor is closed then; -1 is nobody.
#pragma once

#include "base/status.h"

namespace capsem::service {

void SayReady(int fd);
void SayFailed(int fd, const Status& why);

// The N of `--ready-fd N` in a command line that was, perhaps, not understood; -1 when there is
// none.
int FindReadyFd(int argc, char** argv);

}  // namespace capsem::service
