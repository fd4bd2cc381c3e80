#include "wire/proof.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <sys/random.h>

#include "base/status.h"

namespace capsem::wire {
namespace {

const uint8_t* Octets(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

}  // namespace

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  ENSURE(size <= 256 && getrandom(bytes.data(), size, 0) == static_cast<ssize_t>(size));
  return bytes;
}

std::string ToHex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string MakeProof(const std::string& secret, std::string_view label,
                      std::initializer_list<std::string_view> parts) {
  hmac_sha256_ctx context;
  hmac_sha256_set_key(&context, secret.size(), Octets(secret));
  hmac_sha256_update(&context, label.size(), Octets(label));
  for (const std::string_view part : parts) {
    hmac_sha256_update(&context, part.size(), Octets(part));
  }
  std::string digest(SHA256_DIGEST_SIZE, '\0');
  hmac_sha256_digest(&context, digest.size(), reinterpret_cast<uint8_t*>(digest.data()));
  return digest;
}

bool SameProof(std::string_view proof, std::string_view expected) {
  return proof.size() == expected.size() &&
         memeql_sec(proof.data(), expected.data(), expected.size()) != 0;
}

std::string ProcessProof(const std::string& secret, std::string_view service_nonce,
                         std::string_view process_nonce) {
  return MakeProof(secret, "capsem process", {service_nonce, process_nonce});
}

std::string ServiceProof(const std::string& secret, std::string_view session_id) {
  return ToHex(MakeProof(secret, "capsem service", {session_id}));
}

}  // namespace capsem::wire
