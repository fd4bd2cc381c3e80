// Who signed a text: Ed25519 signatures, checked against the keys that this installation trusts.
//
// A signature is a line `ed25519 KEY-ID SIGNATURE`; the key id is the sha256 of the public key's
// DER form, so that a foreign key and a changed text are told apart. tools/image/signing.py writes
// it.
#pragma once

#include <openssl/evp.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::service {

class TrustedKeys {
 public:
  // Every *.pem of `folder`; none when there is no such folder. DataLoss names a file that is no
  // public key of kind Ed25519.
  static StatusOr<TrustedKeys> Read(const std::string& folder);

  // DataLoss says in which way `signature` is not a trusted one of `text`, which `what` names for
  // the person who reads it.
  Status Verify(std::string_view text, std::string_view signature, std::string_view what) const;

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

  std::string folder_;
  std::map<std::string, Key> keys_;  // by key id
};

}  // namespace capsem::service
