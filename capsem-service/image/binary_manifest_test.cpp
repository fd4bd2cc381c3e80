#include "image/binary_manifest.h"

#include <optional>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "image/testing/signed_image.h"

namespace capsem::service {
namespace {

// A folder with one program, signed.
class Programs {
 public:
  Programs() {
    key.TrustIn(dir / "keys");
    WriteFile(dir / "bin/capsem-process", "program");
    Sign(key);
  }
  void Sign(const TestKey& by) const {
    const std::string manifest = ManifestOf({{"capsem-process", "program"}});
    WriteFile(dir / "bin/MANIFEST", manifest);
    WriteFile(dir / "bin/MANIFEST.sig", by.Sign(manifest));
  }
  BinaryPaths paths() const { return {dir / "bin", dir / "keys", dir / "verdicts"}; }
  Status Check() const { return CheckBinary(paths(), "capsem-process").status(); }

  TempDir dir;
  TestKey key;
};

TEST_CASE("a listed program may be started") {
  Programs programs;
  REQUIRE(VALUE_OF(CheckBinary(programs.paths(), "capsem-process")) ==
          programs.dir / "bin/capsem-process");
}

TEST_CASE("a program that is changed, not listed, foreign or unsigned may not") {
  struct Case {
    const char* what;
    void (*harm)(const Programs&);
    const char* named;
  };
  const std::vector<Case> cases = {
      {"one byte", [](const Programs& p) { WriteFile(p.dir / "bin/capsem-process", "programm"); },
       "capsem-process"},
      {"same size", [](const Programs& p) { WriteFile(p.dir / "bin/capsem-process", "Program"); },
       "capsem-process"},
      {"no manifest", [](const Programs& p) { std::filesystem::remove(p.dir / "bin/MANIFEST"); },
       "MANIFEST"},
      {"no signature",
       [](const Programs& p) { std::filesystem::remove(p.dir / "bin/MANIFEST.sig"); },
       "MANIFEST.sig"},
      {"foreign", [](const Programs& p) { p.Sign(TestKey()); }, "MANIFEST"},
      {"gone", [](const Programs& p) { std::filesystem::remove(p.dir / "bin/capsem-process"); },
       "capsem-process"},
  };
  for (const Case& c : cases) {
    Programs programs;
    c.harm(programs);
    const Status status = programs.Check();
    INFO(c.what << ": " << Describe(status));
    REQUIRE_CODE(status, kDataLoss);
    REQUIRE(Message(status).find(c.named) != std::string_view::npos);
    REQUIRE_FALSE(Remedy(status).empty());
  }
  Programs programs;
  WriteFile(programs.dir / "bin/other", "program");
  REQUIRE_CODE(CheckBinary(programs.paths(), "other"), kDataLoss);
}

TEST_CASE("the loop gets the answer once, after the call") {
  Programs programs;
  TestLoop loop;
  std::optional<StatusOr<std::string>> answer;
  CheckBinary(loop, programs.paths(), "capsem-process", [&](StatusOr<std::string> path) {
    loop.AssertOwned();
    answer = std::move(path);
  });
  REQUIRE_FALSE(answer);
  REQUIRE(loop.RunUntil([&] { return answer.has_value(); }));
  REQUIRE_OK(*answer);
}

}  // namespace
}  // namespace capsem::service
