#include "image/signature.h"

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "image/testing/signed_image.h"

namespace capsem::service {
namespace {

constexpr char kText[] = "the text";

TEST_CASE("a signature by a trusted key holds for its text, and for no other") {
  TempDir dir;
  TestKey key;
  key.TrustIn(dir / "keys");
  const TrustedKeys keys = VALUE_OF(TrustedKeys::Read(dir / "keys"));
  REQUIRE_OK(keys.Verify(kText, key.Sign(kText), "x"));
  const Status changed = keys.Verify("the texT", key.Sign(kText), "manifest.json");
  REQUIRE_CODE(changed, kDataLoss);
  REQUIRE(Message(changed) == "manifest.json was changed after it was signed");
}

TEST_CASE("each of several trusted keys counts, and a stranger's does not") {
  TempDir dir;
  TestKey one;
  TestKey two;
  TestKey stranger;
  one.TrustIn(dir / "keys");
  two.TrustIn(dir / "keys");
  WriteFile(dir / "keys/README", "not a key");
  const TrustedKeys keys = VALUE_OF(TrustedKeys::Read(dir / "keys"));
  REQUIRE_OK(keys.Verify(kText, one.Sign(kText), "x"));
  REQUIRE_OK(keys.Verify(kText, two.Sign(kText), "x"));
  const Status foreign = keys.Verify(kText, stranger.Sign(kText), "x");
  REQUIRE_CODE(foreign, kDataLoss);
  REQUIRE(Message(foreign).find(stranger.Id().substr(0, 16)) != std::string_view::npos);
  REQUIRE(Remedy(foreign).find(dir / "keys") != std::string::npos);
}

TEST_CASE("a stranger's signature under a trusted key's id does not hold") {
  TempDir dir;
  TestKey key;
  TestKey stranger;
  key.TrustIn(dir / "keys");
  const TrustedKeys keys = VALUE_OF(TrustedKeys::Read(dir / "keys"));
  std::string line = stranger.Sign(kText);
  line.replace(line.find(stranger.Id()), stranger.Id().size(), key.Id());
  REQUIRE_CODE(keys.Verify(kText, line, "x"), kDataLoss);
}

TEST_CASE("without trusted keys nothing is trusted") {
  TempDir dir;
  TestKey key;
  const TrustedKeys keys = VALUE_OF(TrustedKeys::Read(dir / "none"));
  REQUIRE_CODE(keys.Verify(kText, key.Sign(kText), "x"), kDataLoss);
}

TEST_CASE("what is no signature is called unsigned") {
  TempDir dir;
  TestKey key;
  key.TrustIn(dir / "keys");
  const TrustedKeys keys = VALUE_OF(TrustedKeys::Read(dir / "keys"));
  const std::string good = key.Sign(kText);
  for (const std::string& line :
       {std::string(), std::string("ed25519"), std::string("ed25519 "), "rsa" + good.substr(7),
        good.substr(0, good.size() - 2), good.substr(0, good.size() - 1) + "00\n",
        good.substr(0, good.size() - 3) + "+1\n", good + good}) {
    INFO(line);
    const Status status = keys.Verify(kText, line, "x");
    REQUIRE_CODE(status, kDataLoss);
    REQUIRE(Message(status).find("not signed") != std::string_view::npos);
  }
}

TEST_CASE("a damaged or foreign kind of key is named") {
  TempDir dir;
  EVP_PKEY* curve = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  FILE* file = fopen((dir / "ec.pem").c_str(), "w");
  REQUIRE(PEM_write_PUBKEY(file, curve) == 1);
  fclose(file);
  EVP_PKEY_free(curve);
  WriteFile(dir / "one/bad.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
  WriteFile(dir / "two/large.pem", std::string(5000, 'x'));
  for (const char* folder : {"", "one", "two"}) {
    const Status status = TrustedKeys::Read(dir / folder).status();
    REQUIRE_CODE(status, kDataLoss);
    REQUIRE(Message(status).find(".pem") != std::string_view::npos);
  }
}

}  // namespace
}  // namespace capsem::service
