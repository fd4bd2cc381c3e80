#include "image/manifest.h"

#include "base/testing/status_matchers.h"

namespace capsem::service {
namespace {

const std::string kSum(64, 'a');

std::string ImageManifest(const std::string& files) {
  return fmt::format(
      R"({{"format":1,"name":"base","created":1735689600,"kernel_release":"6.1.0","files":[{}],
          "packages":[{{"name":"bash","version":"5.2"}}]}})",
      files);
}

std::string File(const std::string& name, const std::string& sum = kSum) {
  return fmt::format(R"({{"name":"{}","sha256":"{}","size":5}})", name, sum);
}

TEST_CASE("a manifest of an image tells its kernel, files and packages") {
  const Manifest manifest =
      VALUE_OF(ParseManifest(ImageManifest(File("vmlinuz") + "," + File("x"))));
  REQUIRE(manifest.name == "base");
  REQUIRE(manifest.created_unix_s == 1735689600);
  REQUIRE(manifest.kernel_release == "6.1.0");
  REQUIRE(manifest.files.size() == 2);
  REQUIRE(manifest.packages.size() == 1);
  REQUIRE(manifest.packages[0].version == "5.2");
  REQUIRE(manifest.Find("vmlinuz")->size == 5);
  REQUIRE(manifest.Find("vmlinuz")->sha256 == kSum);
  REQUIRE(manifest.Find("vmlinu") == nullptr);
}

TEST_CASE("a manifest of programs needs no kernel") {
  const std::string text =
      fmt::format(R"({{"format":1,"name":"binaries","files":[{}]}})", File("capsem-process"));
  REQUIRE(VALUE_OF(ParseManifest(text)).kernel_release.empty());
}

TEST_CASE("what is no manifest is refused with a reason") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "not JSON"},
      {"[]", "not JSON"},
      {"{", "not JSON"},
      {R"({"format":"1"})", "\"format\""},
      {R"({"format":1})", "\"name\""},
      {R"({"format":1,"name":5})", "\"name\""},
      {R"({"format":1,"name":"base"})", "no file"},
      {R"({"format":1,"name":"base","files":{}})", "no list"},
      {R"({"format":1,"name":"base","files":[5]})", "\"name\""},
      {R"({"format":1,"name":"base","kernel_release":"6","files":[]})", "\"created\""},
      {ImageManifest(File("../vmlinuz")), "beside it"},
      {ImageManifest(File("..")), "beside it"},
      {ImageManifest(File("")), "\"name\""},
      {ImageManifest(File("a", std::string(63, 'a'))), "sha256"},
      {ImageManifest(File("a", std::string(64, 'A'))), "sha256"},
      {ImageManifest(R"({"name":"a","sha256":"b"})"), "\"size\""},
      {ImageManifest(R"({"name":"a","sha256":"b","size":-1})"), "\"size\""},
      {ImageManifest(File(std::string(256, 'n'))), "\"name\""},
      {std::string(kMaxManifestBytes + 1, ' '), "the most"},
  };
  for (const auto& [text, reason] : cases) {
    INFO(text.substr(0, 200));
    const Status status = ParseManifest(text).status();
    REQUIRE_CODE(status, kDataLoss);
    INFO(Message(status));
    REQUIRE(Message(status).find(reason) != std::string_view::npos);
  }
}

TEST_CASE("a manifest from the future is named as such") {
  REQUIRE_CODE(ParseManifest(R"({"format":2})"), kFailedPrecondition);
}

TEST_CASE("JSON nested without end neither parses nor overflows") {
  REQUIRE_CODE(ParseManifest(std::string(500000, '[')), kDataLoss);
}

}  // namespace
}  // namespace capsem::service
