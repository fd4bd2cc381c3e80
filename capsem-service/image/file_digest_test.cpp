#include "image/file_digest.h"

#include <fcntl.h>

#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/unique_fd.h"

namespace capsem::service {
namespace {

// Known answers of FIPS 180-4.
constexpr char kOfNothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kOfAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST_CASE("the digest of known bytes is the known one") {
  REQUIRE(Sha256Hex("") == kOfNothing);
  REQUIRE(Sha256Hex("abc") == kOfAbc);
}

TEST_CASE("a file is read from begin to end, in however many pieces, and keeps its offset") {
  TempDir dir;
  for (const size_t size : {size_t{0}, size_t{3}, size_t{256 * 1024}, size_t{256 * 1024 + 1}}) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>(i * 7);
    std::ofstream(dir / "file", std::ios::binary | std::ios::trunc) << text;
    const UniqueFd fd(open((dir / "file").c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(lseek(fd.get(), 1, SEEK_SET) == 1);
    REQUIRE(VALUE_OF(Sha256HexOfFile(fd.get())) == Sha256Hex(text));
    REQUIRE(lseek(fd.get(), 0, SEEK_CUR) == 1);
  }
}

TEST_CASE("what cannot be read is an error, not the digest of nothing") {
  const UniqueFd folder(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE_CODE(Sha256HexOfFile(folder.get()), kInternal);
}

}  // namespace
}  // namespace capsem::service
