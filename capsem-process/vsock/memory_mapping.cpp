#include "vsock/memory_mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>

namespace capsem::process {

StatusOr<MemoryMapping> MemoryMapping::Create(const UniqueFd& file, uint64_t offset,
                                              uint64_t size) {
  struct stat info;
  if (fstat(file.get(), &info) != 0) return FromErrno("look at the guest's memory file");
  const uint64_t total = offset + size;
  if (size == 0 || total < size || total > static_cast<uint64_t>(info.st_size))
    return InvalidArgument("a memory region of {} bytes at {} of a file of {}", size, offset,
                           info.st_size);
  // From the start of the file: an offset need not be a multiple of the size of a huge page.
  void* start =
      mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.get(), 0);
  if (start == MAP_FAILED) return FromErrno("map {} bytes of the guest's memory", total);
  return MemoryMapping(start, total, {static_cast<uint8_t*>(start) + offset, size});
}

MemoryMapping::~MemoryMapping() {
  if (start_ != nullptr) munmap(start_, total_);
}

}  // namespace capsem::process
