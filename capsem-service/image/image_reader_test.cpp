#include "image/image_reader.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "image/file_digest.h"
#include "image/testing/signed_image.h"

namespace capsem::service {
namespace {

const std::map<std::string, std::string> kFiles = {
    {"vmlinuz", "kernel"}, {"initramfs.cpio", "archive"}, {"rootfs.erofs", "root"}};

// A state folder with the image `base`.
class State {
 public:
  State() {
    key.TrustIn(dir / "keys");
    Add("base", ManifestOf(kFiles));
  }
  void Add(const std::string& name, const std::string& manifest) {
    const std::string digest = Sha256Hex(manifest);
    for (const auto& [file, text] : kFiles) WriteFile(Path(digest, file), text);
    WriteFile(Path(digest, "manifest.json"), manifest);
    WriteFile(Path(digest, "manifest.sig"), key.Sign(manifest));
    std::filesystem::create_directory_symlink(digest, dir / ("images/" + name));
  }
  std::string Path(const std::string& image, const std::string& file) const {
    return dir / ("images/" + image + "/" + file);
  }
  ImageReader reader() const {
    return ImageReader({dir / "images", dir / "keys", dir / "verdicts"});
  }

  TempDir dir;
  TestKey key;
};

TEST_CASE("an image opens by name and by digest, with its files") {
  State state;
  const OpenedImage image = VALUE_OF(state.reader().Open("base"));
  REQUIRE(image.digest == Sha256Hex(ManifestOf(kFiles)));
  REQUIRE(image.kernel_release == "6.1.0");
  REQUIRE(VALUE_OF(Sha256HexOfFile(image.kernel.get())) == Sha256Hex("kernel"));
  REQUIRE(VALUE_OF(Sha256HexOfFile(image.initramfs.get())) == Sha256Hex("archive"));
  REQUIRE(VALUE_OF(Sha256HexOfFile(image.root.get())) == Sha256Hex("root"));
  REQUIRE(VALUE_OF(state.reader().Open(image.digest)).digest == image.digest);
}

TEST_CASE("one flipped byte in any file refuses the image and names the file") {
  for (const char* file :
       {"vmlinuz", "initramfs.cpio", "rootfs.erofs", "manifest.json", "manifest.sig"}) {
    State state;
    const std::string path = state.Path("base", file);
    std::fstream stream(path, std::ios::binary | std::ios::in | std::ios::out);
    stream.seekg(-2, std::ios::end);
    const char flipped = static_cast<char>(stream.get() ^ 1);
    stream.seekp(-2, std::ios::end);
    stream.put(flipped);
    stream.close();
    for (const Status& status :
         {state.reader().Open("base").status(), state.reader().Inspect("base").status()}) {
      INFO(file);
      REQUIRE_CODE(status, kDataLoss);
      INFO(Message(status));
      // A flipped signature is one that the manifest does not have.
      const std::string named =
          std::string(file) == "manifest.sig" ? "manifest.json" : std::string(file);
      REQUIRE(Message(status).find(named + " of image base") != std::string_view::npos);
      REQUIRE_FALSE(Remedy(status).empty());
    }
  }
}

TEST_CASE("an image opened before stays what it was when its file is replaced") {
  State state;
  const OpenedImage image = VALUE_OF(state.reader().Open("base"));
  WriteFile(state.dir / "other", "evil");
  std::filesystem::rename(state.dir / "other", state.Path("base", "rootfs.erofs"));
  REQUIRE(VALUE_OF(Sha256HexOfFile(image.root.get())) == Sha256Hex("root"));
  REQUIRE_CODE(state.reader().Open("base"), kDataLoss);
}

TEST_CASE("a name that can be none, and a name that nobody has") {
  State state;
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("../images/base"),
        std::string("a b"), std::string("base\0x", 6), std::string("-q"), std::string("\xc3\xa4"),
        std::string(65, 'a')}) {
    INFO(name);
    REQUIRE_CODE(state.reader().Open(name), kInvalidArgument);
    REQUIRE_CODE(state.reader().Inspect(name), kInvalidArgument);
  }
  REQUIRE_CODE(state.reader().Open("none"), kNotFound);
  REQUIRE_CODE(state.reader().Inspect(std::string(64, 'a')), kNotFound);
}

TEST_CASE("an image that lacks a boot file in its manifest does not boot") {
  State state;
  auto files = kFiles;
  files.erase("rootfs.erofs");
  state.Add("thin", ManifestOf(files));
  const Status status = state.reader().Open("thin").status();
  REQUIRE_CODE(status, kDataLoss);
  REQUIRE(Message(status).find("rootfs.erofs") != std::string_view::npos);
}

TEST_CASE("inspect tells size, files and packages") {
  State state;
  const Image image = VALUE_OF(state.reader().Inspect("base"));
  REQUIRE(image.name == "base");
  REQUIRE(image.size == 6 + 7 + 4);
  REQUIRE(image.manifest.files.size() == 3);
  REQUIRE(image.manifest.packages[0].name == "bash");
}

TEST_CASE("the list has every named image in order, and says which would not boot") {
  State state;
  REQUIRE(VALUE_OF(state.reader().List()).size() == 1);
  state.Add("another", ManifestOf({{"vmlinuz", "kernel"}}));
  WriteFile(state.dir / "images/.new-1/manifest.json", "half-made");
  WriteFile(state.dir / "images/stray", "a file");
  std::filesystem::create_directory_symlink("nowhere", state.dir / "images/dangling");
  const std::vector<Image> images = VALUE_OF(state.reader().List());
  REQUIRE(images.size() == 3);
  REQUIRE(images[0].name == "another");
  REQUIRE_CODE(images[0].error, kDataLoss);
  REQUIRE(images[1].name == "base");
  REQUIRE_OK(images[1].error);
  REQUIRE(images[1].digest == Sha256Hex(ManifestOf(kFiles)));
  REQUIRE(images[2].name == "dangling");
  REQUIRE_CODE(images[2].error, kNotFound);
}

TEST_CASE("without a folder of images the list is empty") {
  TempDir dir;
  const ImageReader reader({dir / "images", dir / "keys", dir / "verdicts"});
  REQUIRE(VALUE_OF(reader.List()).empty());
  REQUIRE_CODE(reader.Open("base"), kNotFound);
}

}  // namespace
}  // namespace capsem::service
