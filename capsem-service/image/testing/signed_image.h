// For tests: a key, and folders signed by it, the way tools/image makes them.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "base/status.h"
#include "image/file_digest.h"

namespace capsem::service {

inline void WriteFile(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

class TestKey {
 public:
  TestKey() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), &EVP_PKEY_free) {
    ENSURE(key_ != nullptr);
  }

  // Puts the public half into a folder of trusted keys.
  void TrustIn(const std::string& folder) const {
    std::filesystem::create_directories(folder);
    FILE* file = fopen((folder + "/" + Id().substr(0, 16) + ".pem").c_str(), "w");
    ENSURE(file != nullptr && PEM_write_PUBKEY(file, key_.get()) == 1 && fclose(file) == 0);
  }

  std::string Id() const {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_.get(), &der);
    const std::string id = Sha256Hex({reinterpret_cast<char*>(der), static_cast<size_t>(size)});
    OPENSSL_free(der);
    return id;
  }

  std::string Sign(const std::string& text) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    unsigned char signature[64];
    size_t size = sizeof(signature);
    ENSURE(EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_.get()) == 1);
    ENSURE(EVP_DigestSign(context, signature, &size,
                          reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1);
    EVP_MD_CTX_free(context);
    std::string line = "ed25519 " + Id() + " ";
    for (const unsigned char byte : signature) line += fmt::format("{:02x}", byte);
    return line + "\n";
  }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

// An image's manifest over `files` (name → content).
inline std::string ManifestOf(const std::map<std::string, std::string>& files) {
  std::string list;
  for (const auto& [name, text] : files) {
    list += fmt::format(R"({}{{"name":"{}","sha256":"{}","size":{}}})", list.empty() ? "" : ",",
                        name, Sha256Hex(text), text.size());
  }
  return fmt::format(
      R"({{"format":1,"name":"base","created":1735689600,"kernel_release":"6.1.0","files":[{}],
          "packages":[{{"name":"bash","version":"5.2"}}]}})",
      list);
}

}  // namespace capsem::service
