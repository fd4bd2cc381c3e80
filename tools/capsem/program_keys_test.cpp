#include "program_keys.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace capsem::cli {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("programs without keys are no error") {
  const TempDir dir;
  REQUIRE_OK(TrustProgramKeys(dir / "bin", dir / "keys"));
  CHECK_FALSE(std::filesystem::exists(dir / "keys"));
}

TEST_CASE("each key is copied once, for its owner's eyes, and nothing else is") {
  const TempDir dir;
  std::filesystem::create_directories(dir / "bin/trusted_keys.d");
  std::ofstream(dir / "bin/trusted_keys.d/a.pem") << "key a";
  std::ofstream(dir / "bin/trusted_keys.d/readme") << "no key";
  for (int round = 0; round < 2; ++round) {
    REQUIRE_OK(TrustProgramKeys(dir / "bin", dir / "keys"));
    CHECK(Read(dir / "keys/trusted_keys.d/a.pem") == "key a");
  }
  struct stat found {};
  REQUIRE(stat((dir / "keys/trusted_keys.d/a.pem").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  REQUIRE(stat((dir / "keys/trusted_keys.d").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0700);
  const auto names = std::filesystem::directory_iterator(dir / "keys/trusted_keys.d");
  CHECK(std::distance(begin(names), end(names)) == 1);
}

TEST_CASE("a key that is there already is not replaced") {
  const TempDir dir;
  std::filesystem::create_directories(dir / "bin/trusted_keys.d");
  std::filesystem::create_directories(dir / "keys/trusted_keys.d");
  std::ofstream(dir / "bin/trusted_keys.d/a.pem") << "new";
  std::ofstream(dir / "keys/trusted_keys.d/a.pem") << "old";
  REQUIRE_OK(TrustProgramKeys(dir / "bin", dir / "keys"));
  CHECK(Read(dir / "keys/trusted_keys.d/a.pem") == "old");
}

TEST_CASE("a folder that cannot be made is named") {
  const TempDir dir;
  std::filesystem::create_directories(dir / "bin/trusted_keys.d");
  std::ofstream(dir / "bin/trusted_keys.d/a.pem") << "key a";
  std::ofstream(dir / "keys") << "a file";
  const Status status = TrustProgramKeys(dir / "bin", dir / "keys");
  REQUIRE_FALSE(status.ok());
  CHECK(Message(status).find(dir / "keys/trusted_keys.d") != std::string_view::npos);
}

}  // namespace capsem::cli
