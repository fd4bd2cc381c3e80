// The memfd that is the guest's memory: QEMU maps it by its descriptor, and hands it to the vsock
// device; later a saved machine fills it. Sealed, so that neither QEMU nor anybody else who holds
// it can shrink it under a mapping of ours (SIGBUS) or make it grow over what the session may use.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::process {

// InvalidArgument: not a whole number of pages, or none.
StatusOr<UniqueFd> CreateGuestRam(uint64_t bytes);

}  // namespace capsem::process
