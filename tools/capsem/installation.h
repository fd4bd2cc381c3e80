// Where our own files lie, found from the program that runs: capsem-service beside it, the image
// builder in the checkout (build/bin/capsem → tools/image/build) or in share/capsem of an
// installation (bin/capsem).
#pragma once

#include <string>

#include "base/status.h"

namespace capsem::cli {

struct Installation {
  std::string programs;  // the folder of capsem and capsem-service

  static StatusOr<Installation> Find();
  std::string Service() const { return programs + "/capsem-service"; }
  std::string Agent() const { return programs + "/capsem-agent"; }
  // NotFound when there is none.
  StatusOr<std::string> ImageBuilder() const;
};

}  // namespace capsem::cli
