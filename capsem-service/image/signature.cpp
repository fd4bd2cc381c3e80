#include "image/signature.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/small_file.h"
#include "image/file_digest.h"

namespace capsem::service {
namespace {

// A public key of this kind has 113 bytes as PEM.
constexpr size_t kMaxKeyBytes = 4096;
constexpr size_t kSignatureBytes = 64;

struct SignatureLine {
  std::string key_id;
  std::vector<unsigned char> bytes;
};

std::optional<std::vector<unsigned char>> FromHex(std::string_view hex) {
  if (hex.size() != 2 * kSignatureBytes) return std::nullopt;
  std::vector<unsigned char> bytes(kSignatureBytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char* digits = hex.data() + 2 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, bytes[i], 16);
    if (error != std::errc() || end != digits + 2) return std::nullopt;
  }
  return bytes;
}

std::optional<SignatureLine> ParseSignature(std::string_view text) {
  constexpr std::string_view kKind = "ed25519 ";
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (!text.starts_with(kKind)) return std::nullopt;
  text.remove_prefix(kKind.size());
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  auto bytes = FromHex(text.substr(space + 1));
  if (!bytes) return std::nullopt;
  return SignatureLine{std::string(text.substr(0, space)), *std::move(bytes)};
}

// Null when the text is no public key of kind Ed25519.
EVP_PKEY* ParseKey(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  EVP_PKEY* key = PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr);
  if (key != nullptr && EVP_PKEY_id(key) == EVP_PKEY_ED25519) return key;
  EVP_PKEY_free(key);
  return nullptr;
}

std::string KeyId(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  ENSURE(size > 0);
  std::string id = Sha256Hex({reinterpret_cast<const char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return id;
}

}  // namespace

StatusOr<TrustedKeys> TrustedKeys::Read(const std::string& folder) {
  TrustedKeys trusted;
  trusted.folder_ = folder;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() != ".pem") continue;
    const std::string path = entry->path();
    Key key(ParseKey(TRY(ReadSmallFile(AT_FDCWD, path, kMaxKeyBytes))), &EVP_PKEY_free);
    if (key == nullptr) {
      return WithRemedy(DataLoss("{} is not a public key of kind Ed25519", path),
                        "take it out of that folder");
    }
    std::string id = KeyId(key.get());
    trusted.keys_.emplace(std::move(id), std::move(key));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return ErrnoStatus(error.value(), "read " + folder);
  }
  return trusted;
}

Status TrustedKeys::Verify(std::string_view text, std::string_view signature,
                           std::string_view what) const {
  const std::optional<SignatureLine> line = ParseSignature(signature);
  if (!line) return DataLoss("{} is not signed: its signature is none", what);
  const auto key = keys_.find(line->key_id);
  if (key == keys_.end()) {
    return WithRemedy(
        DataLoss("{} is signed by a key that is not trusted here ({:.16})", what, line->key_id),
        fmt::format("if you trust it, put its public key into {}", folder_));
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  ENSURE(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key->second.get()) == 1);
  const int verdict =
      EVP_DigestVerify(context.get(), line->bytes.data(), line->bytes.size(),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
  if (verdict != 1) return DataLoss("{} was changed after it was signed", what);
  return OkStatus();
}

}  // namespace capsem::service
