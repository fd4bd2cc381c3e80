#include "boot/kernel_file.h"

#include <fcntl.h>

#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::agent {

TEST_CASE("a kernel file is read without its newline") {
  TempDir dir;
  std::ofstream(dir / "serial") << "capsem-root\n";
  REQUIRE(VALUE_OF(ReadKernelFile(AT_FDCWD, dir / "serial")) == "capsem-root");
}

TEST_CASE("a kernel file that is not there is NotFound and is not made by writing") {
  TempDir dir;
  REQUIRE_CODE(ReadKernelFile(AT_FDCWD, dir / "none"), kNotFound);
  REQUIRE_CODE(WriteKernelFile(AT_FDCWD, dir / "none", "1"), kNotFound);
}

TEST_CASE("a kernel file is reached from an open folder") {
  TempDir dir;
  std::ofstream(dir / "weight") << "";
  UniqueFd folder(open(dir.path().c_str(), O_PATH | O_DIRECTORY));
  REQUIRE_OK(WriteKernelFile(folder.get(), "weight", "100"));
  REQUIRE(VALUE_OF(ReadKernelFile(folder.get(), "weight")) == "100");
}

TEST_CASE("a file larger than any kernel file is cut, not swallowed whole") {
  TempDir dir;
  std::ofstream(dir / "big") << std::string(1 << 20, 'x');
  REQUIRE(VALUE_OF(ReadKernelFile(AT_FDCWD, dir / "big")).size() <= 64 * 1024);
}

}  // namespace capsem::agent
