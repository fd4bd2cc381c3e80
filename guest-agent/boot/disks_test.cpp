#include "boot/disks.h"

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::agent {
namespace {

void AddDisk(const TempDir& dir, const std::string& name, const std::string& serial) {
  std::filesystem::create_directory(dir / name);
  std::ofstream(dir / (name + "/serial")) << serial;
}

}  // namespace

TEST_CASE("a disk is found by its serial, whatever its name") {
  TempDir dir;
  AddDisk(dir, "vda", "capsem-disk");
  AddDisk(dir, "vdb", "capsem-root\n");
  AddDisk(dir, "loop0", "capsem-swap");
  std::filesystem::create_directory(dir / "vdc");  // no serial at all
  REQUIRE(VALUE_OF(FindDisk(dir.path(), "capsem-root")) == "vdb");
  REQUIRE(VALUE_OF(FindDisk(dir.path(), "capsem-disk")) == "vda");
  REQUIRE_CODE(FindDisk(dir.path(), "capsem-swap"), kNotFound);
  REQUIRE_CODE(FindDisk(dir.path(), "capsem"), kNotFound);
}

TEST_CASE("without block devices there is no disk, and no crash") {
  REQUIRE_CODE(FindDisk("/nowhere", "capsem-root"), kNotFound);
}

}  // namespace capsem::agent
