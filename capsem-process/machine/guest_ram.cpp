// Platform: memfd; elsewhere: CreateGuestRam fails with the kernel's error.
#include "machine/guest_ram.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace capsem::process {

StatusOr<UniqueFd> CreateGuestRam(uint64_t bytes) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (bytes == 0 || bytes % page != 0) {
    return InvalidArgument("{} bytes of memory are not a whole number of pages", bytes);
  }
  UniqueFd ram(memfd_create("capsem-guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!ram.valid()) return FromErrno("make the guest's memory");
  if (ftruncate(ram.get(), static_cast<off_t>(bytes)) != 0) {
    return FromErrno("size the guest's memory to {} bytes", bytes);
  }
  // Writing stays open, and so do holes: the balloon gives pages back by punching them.
  if (fcntl(ram.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return FromErrno("seal the guest's memory");
  }
  return ram;
}

}  // namespace capsem::process
