#include "image/binary_manifest.h"

#include <memory>

#include "image/signed_folder.h"
#include "image/verdict_cache.h"

namespace capsem::service {
namespace {

constexpr char kSignAgain[] = "build and stage the programs again: tools/quickstart does";

StatusOr<std::string> Check(const BinaryPaths& paths, const std::string& program) {
  const SignedFolder folder = TRY(SignedFolder::Open(
      {paths.folder, paths.folder, "MANIFEST", "MANIFEST.sig", paths.trusted_keys}));
  TRY(folder.OpenFile(program, VerdictCache(paths.verdicts)).status());
  return paths.folder + "/" + program;
}

}  // namespace

StatusOr<std::string> CheckBinary(const BinaryPaths& paths, const std::string& program) {
  StatusOr<std::string> path = Check(paths, program);
  if (path.ok() || !Remedy(path.status()).empty()) return path;
  return WithRemedy(path.status(), kSignAgain);
}

void CheckBinary(Loop& loop, BinaryPaths paths, std::string program,
                 absl::AnyInvocable<void(StatusOr<std::string>)> done) {
  auto path = std::make_shared<StatusOr<std::string>>(Internal("nothing was checked"));
  loop.RunBlocking([path, paths = std::move(paths),
                    program = std::move(program)] { *path = CheckBinary(paths, program); },
                   [path, done = std::move(done)]() mutable { done(std::move(*path)); });
}

}  // namespace capsem::service
