// The images of an installation, read and verified from <state>/images. Every function blocks (the
// first time an image is opened, 0.1 s): ImageStore is the door for the loop. Holds no state: a
// copy serves any thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "image/manifest.h"
#include "image/signed_folder.h"
#include "image/verdict_cache.h"

namespace capsem::service {

struct Image {
  std::string name;    // as it was asked for: a name, or a digest
  std::string digest;  // sha256 of the manifest, hex
  uint64_t size = 0;   // of all files, bytes
  Manifest manifest;
  Status error;  // List only: why it would not boot, as far as is known without reading all of it
};

// What a machine boots from. The files are open and as the manifest says.
struct OpenedImage {
  std::string digest;
  std::string kernel_release;
  UniqueFd kernel;
  UniqueFd initramfs;
  UniqueFd root;
};

struct ImagePaths {
  std::string images;
  std::string trusted_keys;
  std::string verdicts;  // a file
};

class ImageReader {
 public:
  explicit ImageReader(ImagePaths paths);

  // Every named image, by name. Does not read the large files.
  StatusOr<std::vector<Image>> List() const;
  // `name` is a name or a digest. InvalidArgument: it can be neither. NotFound: there is none.
  // DataLoss: a file is not as it was built, and which.
  StatusOr<Image> Inspect(const std::string& name) const;
  StatusOr<OpenedImage> Open(const std::string& name) const;

 private:
  StatusOr<SignedFolder> OpenFolder(const std::string& name) const;
  Image Listed(const std::string& name) const;

  ImagePaths paths_;
  VerdictCache verdicts_;
};

}  // namespace capsem::service
