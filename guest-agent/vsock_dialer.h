// Begins a vsock connection to the host, from a source port that only root may bind: that is how
// the host tells the agent from any other program of the guest.
#pragma once

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::agent {

// Non-blocking; writable when it stands. FailedPrecondition: there is no vsock device now.
StatusOr<UniqueFd> DialHost();

// kVsockBuffer for what comes in, and then for what may be on its way out.
void WidenVsockBuffer(int fd);

}  // namespace capsem::agent
