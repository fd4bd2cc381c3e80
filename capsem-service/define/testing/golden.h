// Golden files: what a pure function is expected to say, kept beside its test. A test fails with
// both texts; CAPSEM_WRITE_GOLDEN=1 writes the new one over the old, for a person to read in the
// diff.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace capsem::service {

inline std::string GoldenPath(const std::string& name) {
  return std::string(CAPSEM_SERVICE_SOURCE "/define/golden/") + name;
}

inline std::string ReadGolden(const std::string& name) {
  std::ifstream file(GoldenPath(name));
  INFO("golden file " << GoldenPath(name));
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void RequireGolden(const std::string& name, const std::string& text) {
  if (std::getenv("CAPSEM_WRITE_GOLDEN") != nullptr) std::ofstream(GoldenPath(name)) << text;
  REQUIRE(text == ReadGolden(name));
}

}  // namespace capsem::service
