#include "image/image_store.h"

#include <optional>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"

namespace capsem::service {
namespace {

TEST_CASE("each call answers once, on the loop, and not before it returns") {
  TempDir dir;
  TestLoop loop;
  ImageStore store(loop, {dir / "images", dir / "keys", dir / "verdicts"});
  std::optional<Status> listed;
  std::optional<Status> inspected;
  std::optional<Status> opened;
  store.List([&](StatusOr<std::vector<Image>> images) {
    loop.AssertOwned();
    listed = images.status();
  });
  store.Inspect("base", [&](StatusOr<Image> image) { inspected = image.status(); });
  store.Open("../base", [&](StatusOr<OpenedImage> image) { opened = image.status(); });
  REQUIRE_FALSE((listed || inspected || opened));
  REQUIRE(loop.RunUntil([&] { return listed && inspected && opened; }));
  REQUIRE_OK(*listed);
  REQUIRE_CODE(*inspected, kNotFound);
  REQUIRE_CODE(*opened, kInvalidArgument);
}

TEST_CASE("an answer may come after the store is gone") {
  TempDir dir;
  TestLoop loop;
  int answers = 0;
  {
    ImageStore store(loop, {dir / "images", dir / "keys", dir / "verdicts"});
    store.Open("base", [&](StatusOr<OpenedImage>) { ++answers; });
  }
  REQUIRE(loop.RunUntil([&] { return answers > 0; }));
  REQUIRE(answers == 1);
}

}  // namespace
}  // namespace capsem::service
