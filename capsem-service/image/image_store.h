// The images of this installation, for the loop: each call reads on a pool thread and answers on
// the loop, once, never before it returns. Owned by app; an answer may come after it is gone.
#pragma once

#include <absl/functional/any_invocable.h>

#include <string>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "image/image_reader.h"

namespace capsem::service {

class ImageStore {
 public:
  template <typename T>
  using Done = absl::AnyInvocable<void(StatusOr<T>)>;

  ImageStore(Loop& loop, ImagePaths paths) : loop_(loop), reader_(std::move(paths)) {}

  // As the functions of ImageReader.
  void List(Done<std::vector<Image>> done);
  void Inspect(std::string name, Done<Image> done);
  void Open(std::string name, Done<OpenedImage> done);

 private:
  Loop& loop_;
  const ImageReader reader_;
};

}  // namespace capsem::service
