#include "image/file_digest.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

namespace capsem::service {
namespace {

// Large enough that system calls do not count, small enough to stay in a processor's cache.
constexpr size_t kBufferBytes = 256 * 1024;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    ENSURE(context_ != nullptr);
    ENSURE(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void Add(const void* bytes, size_t size) {
    ENSURE(EVP_DigestUpdate(context_.get(), bytes, size) == 1);
  }

  std::string FinishHex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned size = 0;
    ENSURE(EVP_DigestFinal_ex(context_.get(), sum.data(), &size) == 1);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", sum[i]);
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string Sha256Hex(std::string_view bytes) {
  Sha256 sum;
  sum.Add(bytes.data(), bytes.size());
  return sum.FinishHex();
}

StatusOr<std::string> Sha256HexOfFile(int fd) {
  Sha256 sum;
  std::vector<char> buffer(kBufferBytes);
  for (off_t offset = 0;;) {
    const ssize_t got = pread(fd, buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno("read");
    if (got == 0) return sum.FinishHex();
    sum.Add(buffer.data(), static_cast<size_t>(got));
    offset += got;
  }
}

}  // namespace capsem::service
