#include "image/image_reader.h"

#include <algorithm>
#include <filesystem>

namespace capsem::service {
namespace {

constexpr char kKernel[] = "vmlinuz";
constexpr char kInitramfs[] = "initramfs.cpio";
constexpr char kRoot[] = "rootfs.erofs";
constexpr size_t kMaxNameBytes = 64;  // a digest is as long
constexpr char kBuildAgain[] = "build it again with `capsem image build`";

bool IsNameCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// The same set as the names of sessions; a digest is one of them. No name leaves the folder.
bool IsImageName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && name[0] != '-' && name[0] != '_' &&
         std::all_of(name.begin(), name.end(), &IsNameCharacter);
}

Image ImageOf(const std::string& name, const SignedFolder& folder) {
  Image image{name, folder.digest(), 0, folder.manifest(), OkStatus()};
  for (const ManifestFile& file : folder.manifest().files) image.size += file.size;
  return image;
}

Status WithBuildAgain(const Status& status) {
  const bool helps = status.code() == StatusCode::kDataLoss && Remedy(status).empty();
  return helps ? WithRemedy(status, kBuildAgain) : status;
}

StatusOr<OpenedImage> OpenFiles(const SignedFolder& folder, const VerdictCache& verdicts) {
  OpenedImage image;
  image.digest = folder.digest();
  image.kernel_release = folder.manifest().kernel_release;
  image.kernel = TRY(folder.OpenFile(kKernel, verdicts));
  image.initramfs = TRY(folder.OpenFile(kInitramfs, verdicts));
  image.root = TRY(folder.OpenFile(kRoot, verdicts));
  return image;
}

Status VerifyFiles(const SignedFolder& folder, const VerdictCache& verdicts) {
  for (const ManifestFile& file : folder.manifest().files) {
    TRY(folder.OpenFile(file.name, verdicts).status());
  }
  return OkStatus();
}

Status CheckFiles(const SignedFolder& folder) {
  for (const char* name : {kKernel, kInitramfs, kRoot}) TRY(folder.CheckFile(name));
  return OkStatus();
}

}  // namespace

ImageReader::ImageReader(ImagePaths paths) : paths_(std::move(paths)), verdicts_(paths_.verdicts) {}

StatusOr<std::vector<Image>> ImageReader::List() const {
  std::vector<Image> images;
  std::error_code error;
  std::filesystem::directory_iterator entry(paths_.images, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    const std::string name = entry->path().filename();
    if (entry->is_symlink(ignored) && IsImageName(name)) images.push_back(Listed(name));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return ErrnoStatus(error.value(), "list " + paths_.images);
  }
  std::sort(images.begin(), images.end(),
            [](const Image& a, const Image& b) { return a.name < b.name; });
  return images;
}

StatusOr<Image> ImageReader::Inspect(const std::string& name) const {
  const SignedFolder folder = TRY(OpenFolder(name));
  const Status verified = VerifyFiles(folder, verdicts_);
  if (!verified.ok()) return WithBuildAgain(verified);
  return ImageOf(name, folder);
}

StatusOr<OpenedImage> ImageReader::Open(const std::string& name) const {
  const SignedFolder folder = TRY(OpenFolder(name));
  StatusOr<OpenedImage> image = OpenFiles(folder, verdicts_);
  if (!image.ok()) return WithBuildAgain(image.status());
  return image;
}

StatusOr<SignedFolder> ImageReader::OpenFolder(const std::string& name) const {
  if (!IsImageName(name)) {
    return WithRemedy(InvalidArgument("\"{}\" cannot be the name of an image", name),
                      "`capsem image list` shows the images there are");
  }
  StatusOr<SignedFolder> folder =
      SignedFolder::Open({paths_.images + "/" + name, "image " + name, "manifest.json",
                          "manifest.sig", paths_.trusted_keys});
  if (folder.ok()) return folder;
  if (folder.status().code() == StatusCode::kNotFound) {
    return WithRemedy(NotFound("there is no image called {}", name),
                      "`capsem image list` shows the images there are, `capsem image build` "
                      "makes the image base");
  }
  return WithBuildAgain(folder.status());
}

Image ImageReader::Listed(const std::string& name) const {
  const StatusOr<SignedFolder> folder = OpenFolder(name);
  if (!folder.ok()) {
    Image image;
    image.name = name;
    image.error = folder.status();
    return image;
  }
  Image image = ImageOf(name, *folder);
  image.error = WithBuildAgain(CheckFiles(*folder));
  return image;
}

}  // namespace capsem::service
