#include "installation.h"

#include <unistd.h>

#include <filesystem>

namespace capsem::cli {

StatusOr<Installation> Installation::Find() {
  std::error_code failed;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return ErrnoStatus(failed.value(), "find the program that runs (/proc/self/exe)");
  return Installation{self.parent_path()};
}

StatusOr<std::string> Installation::ImageBuilder() const {
  for (const char* place : {"/../../tools/image/build", "/../share/capsem/image/build"}) {
    const std::string path = std::filesystem::path(programs + place).lexically_normal();
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return WithRemedy(NotFound("the image builder is not where {} expects it", programs),
                    "run capsem from build/bin of its checkout");
}

}  // namespace capsem::cli
