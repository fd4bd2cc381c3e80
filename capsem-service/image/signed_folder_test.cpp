#include "image/signed_folder.h"

#include <sys/stat.h>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "image/file_digest.h"
#include "image/testing/signed_image.h"

namespace capsem::service {
namespace {

// A folder with one file and a key that is trusted.
class Folder {
 public:
  Folder() {
    key.TrustIn(dir / "keys");
    WriteFile(dir / "it/file", "content");
    Sign(ManifestOf({{"file", "content"}}));
  }
  void Sign(const std::string& manifest) {
    WriteFile(dir / "it/manifest", manifest);
    WriteFile(dir / "it/sig", key.Sign(manifest));
  }
  StatusOr<SignedFolder> Open() const {
    return SignedFolder::Open({dir / "it", "thing x", "manifest", "sig", dir / "keys"});
  }
  StatusOr<UniqueFd> OpenFile(const std::string& name = "file") const {
    const SignedFolder folder = TRY(Open());
    return folder.OpenFile(name, VerdictCache(dir / "verdicts"));
  }

  TempDir dir;
  TestKey key;
};

TEST_CASE("a file of a signed folder is handed out open") {
  Folder folder;
  const UniqueFd fd = VALUE_OF(folder.OpenFile());
  REQUIRE(VALUE_OF(Sha256HexOfFile(fd.get())) == Sha256Hex("content"));
  REQUIRE(VALUE_OF(folder.Open()).digest() == Sha256Hex(ManifestOf({{"file", "content"}})));
}

TEST_CASE("a file that is not as its manifest says is refused by name") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"contenT", "file of thing x was changed: it is not as manifest says"},
      {"conten", "file of thing x was changed: it has 6 bytes instead of 7"},
      {"", "file of thing x was changed: it has 0 bytes instead of 7"},
  };
  for (const auto& [text, sentence] : cases) {
    Folder folder;
    WriteFile(folder.dir / "it/file", text);
    const Status status = folder.OpenFile().status();
    REQUIRE_CODE(status, kDataLoss);
    REQUIRE(Message(status) == sentence);
  }
}

TEST_CASE("a link, a folder or a fifo in a file's place is refused and not waited for") {
  Folder folder;
  const std::string file = folder.dir / "it/file";
  std::filesystem::rename(file, folder.dir / "moved");
  std::filesystem::create_symlink(folder.dir / "moved", file);
  REQUIRE_FALSE(folder.OpenFile().ok());
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  REQUIRE_CODE(folder.OpenFile(), kDataLoss);
  std::filesystem::remove(file);
  REQUIRE(mkfifo(file.c_str(), 0600) == 0);
  REQUIRE_CODE(folder.OpenFile(), kDataLoss);
}

TEST_CASE("missing parts are named") {
  for (const char* part : {"manifest", "sig", "file"}) {
    Folder folder;
    std::filesystem::remove(folder.dir / ("it/" + std::string(part)));
    const Status status = folder.OpenFile().status();
    REQUIRE_CODE(status, kDataLoss);
    REQUIRE(Message(status) == fmt::format("{} of thing x is missing", part));
  }
}

TEST_CASE("a changed, foreign or huge manifest opens nothing") {
  Folder changed;
  WriteFile(changed.dir / "it/manifest", ManifestOf({{"file", "Content"}}));
  REQUIRE_CODE(changed.Open(), kDataLoss);

  Folder foreign;
  WriteFile(foreign.dir / "it/sig", TestKey().Sign(ManifestOf({{"file", "content"}})));
  REQUIRE_CODE(foreign.Open(), kDataLoss);

  Folder huge;
  huge.Sign(ManifestOf({{"file", "content"}}) + std::string(kMaxManifestBytes, ' '));
  REQUIRE_CODE(huge.Open(), kDataLoss);

  Folder signed_nonsense;
  signed_nonsense.Sign("{}");
  const Status status = signed_nonsense.Open().status();
  REQUIRE_CODE(status, kDataLoss);
  REQUIRE(Message(status).find("manifest of thing x") == 0);
}

TEST_CASE("a file that the manifest does not list is not handed out") {
  Folder folder;
  WriteFile(folder.dir / "it/other", "content");
  REQUIRE_CODE(folder.OpenFile("other"), kDataLoss);
  REQUIRE_CODE(folder.OpenFile("../it/file"), kDataLoss);
}

TEST_CASE("a folder that is not there is not found") {
  Folder folder;
  std::filesystem::remove_all(folder.dir / "it");
  REQUIRE_CODE(folder.Open(), kNotFound);
}

}  // namespace
}  // namespace capsem::service
