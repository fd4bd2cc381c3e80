#include "vsock/memory_mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <limits>

#include "base/testing/status_matchers.h"

namespace capsem::process {
namespace {

UniqueFd File(off_t size) {
  UniqueFd file(memfd_create("memory", MFD_CLOEXEC));
  REQUIRE(ftruncate(file.get(), size) == 0);
  return file;
}

TEST_CASE("a mapping is the file's own bytes, and outlives the descriptor") {
  UniqueFd file = File(0x3000);
  auto mapping = VALUE_OF(MemoryMapping::Create(file, 0x1000, 0x2000));
  REQUIRE(mapping.bytes().size() == 0x2000);
  mapping.bytes()[5] = 'x';
  char byte = 0;
  REQUIRE(pread(file.get(), &byte, 1, 0x1005) == 1);
  REQUIRE(byte == 'x');
  file.Reset();
  const MemoryMapping moved = std::move(mapping);
  REQUIRE(moved.bytes()[5] == 'x');
}

TEST_CASE("a mapping that its file cannot fill is refused") {
  const UniqueFd file = File(0x2000);
  const struct {
    const char* what;
    uint64_t offset, size;
  } cases[] = {
      {"nothing", 0, 0},
      {"one page too much", 0x1000, 0x2000},
      {"behind the end", 0x3000, 0x1000},
      {"a sum that wraps", 0x1000, std::numeric_limits<uint64_t>::max()},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    REQUIRE_CODE(MemoryMapping::Create(file, c.offset, c.size), kInvalidArgument);
  }
  REQUIRE(!MemoryMapping::Create(UniqueFd(), 0, 1).ok());
}

}  // namespace
}  // namespace capsem::process
