#include "image/image_store.h"

#include <memory>

namespace capsem::service {
namespace {

// `work` on a pool thread, its value to `done` on the loop. Both closures hold the value's place.
template <typename T, typename Work>
void RunAndTell(Loop& loop, Work work, ImageStore::Done<T> done) {
  auto value = std::make_shared<StatusOr<T>>(Internal("nothing was read"));
  loop.RunBlocking([value, work = std::move(work)] { *value = work(); },
                   [value, done = std::move(done)]() mutable { done(std::move(*value)); });
}

}  // namespace

void ImageStore::List(Done<std::vector<Image>> done) {
  RunAndTell<std::vector<Image>>(
      loop_, [reader = reader_] { return reader.List(); }, std::move(done));
}

void ImageStore::Inspect(std::string name, Done<Image> done) {
  RunAndTell<Image>(
      loop_, [reader = reader_, name = std::move(name)] { return reader.Inspect(name); },
      std::move(done));
}

void ImageStore::Open(std::string name, Done<OpenedImage> done) {
  RunAndTell<OpenedImage>(
      loop_, [reader = reader_, name = std::move(name)] { return reader.Open(name); },
      std::move(done));
}

}  // namespace capsem::service
