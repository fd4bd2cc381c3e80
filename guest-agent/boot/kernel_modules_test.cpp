#include "boot/kernel_modules.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::agent {

TEST_CASE("load.order is read line by line, in its order") {
  using Names = std::vector<std::string>;
  REQUIRE(VALUE_OF(ParseLoadOrder("virtio.ko\n# disks\n\nvirtio_blk.ko")) ==
          Names{"virtio.ko", "virtio_blk.ko"});
  REQUIRE(VALUE_OF(ParseLoadOrder("")).empty());
}

TEST_CASE("load.order cannot name a file elsewhere") {
  REQUIRE_CODE(ParseLoadOrder("../etc/x.ko\n"), kInvalidArgument);
}

TEST_CASE("an initramfs without load.order is an error that names it") {
  TempDir dir;
  const Status status = LoadKernelModules(dir.path());
  REQUIRE_CODE(status, kNotFound);
  REQUIRE(Message(status).find("load.order") != std::string_view::npos);
}

}  // namespace capsem::agent
