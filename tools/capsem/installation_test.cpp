#include "installation.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::cli {

TEST_CASE("the programs lie beside the one that runs") {
  const Installation found = VALUE_OF(Installation::Find());
  CHECK(std::filesystem::is_directory(found.programs));
  CHECK(found.Service() == found.programs + "/capsem-service");
}

TEST_CASE("the image builder is found in a checkout and in an installation") {
  for (const char* place : {"tools/image", "share/capsem/image"}) {
    const TempDir root;
    const bool checkout = std::string_view(place) == "tools/image";
    const std::string programs = root / (checkout ? "build/bin" : "bin");
    std::filesystem::create_directories(programs);
    std::filesystem::create_directories(root / place);
    REQUIRE_CODE(Installation{programs}.ImageBuilder(), kNotFound);
    const std::string builder = root / (std::string(place) + "/build");
    std::ofstream(builder) << "#!/bin/sh\n";
    REQUIRE(chmod(builder.c_str(), 0755) == 0);
    CHECK(VALUE_OF(Installation{programs}.ImageBuilder()) == builder);
  }
}

}  // namespace capsem::cli
