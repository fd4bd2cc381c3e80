#include "machine/guest_ram.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing/status_matchers.h"

namespace capsem::process {

constexpr uint64_t kBytes = uint64_t{8} << 20;

TEST_CASE("guest memory has its size and takes none of the host's until it is written") {
  const UniqueFd ram = VALUE_OF(CreateGuestRam(kBytes));
  struct stat info {};
  REQUIRE(fstat(ram.get(), &info) == 0);
  REQUIRE(static_cast<uint64_t>(info.st_size) == kBytes);
  REQUIRE(info.st_blocks == 0);
}

TEST_CASE("nobody can change the size of guest memory, nor its seals") {
  const UniqueFd ram = VALUE_OF(CreateGuestRam(kBytes));
  // As QEMU holds it: opened again by its path.
  const UniqueFd again(
      open(fmt::format("/proc/self/fd/{}", ram.get()).c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(again.valid());
  REQUIRE(ftruncate(again.get(), kBytes / 2) != 0);
  REQUIRE(ftruncate(again.get(), kBytes * 2) != 0);
  REQUIRE(fcntl(again.get(), F_ADD_SEALS, F_SEAL_WRITE) != 0);
}

TEST_CASE("guest memory can be written, and given back page by page") {
  const UniqueFd ram = VALUE_OF(CreateGuestRam(kBytes));
  REQUIRE(pwrite(ram.get(), "x", 1, 4096) == 1);
  REQUIRE(fallocate(ram.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kBytes) == 0);
  struct stat info {};
  REQUIRE(fstat(ram.get(), &info) == 0);
  REQUIRE(info.st_blocks == 0);
}

TEST_CASE("a size that is no whole number of pages is refused") {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, kBytes + 1}) {
    REQUIRE_CODE(CreateGuestRam(bytes), kInvalidArgument);
  }
}

}  // namespace capsem::process
