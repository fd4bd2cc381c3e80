#include "wire/proof.h"

#include <catch2/catch.hpp>

namespace capsem::wire {
namespace {

TEST_CASE("a proof is HMAC-SHA256 over the label and the parts") {
  // RFC 4231, test case 2.
  REQUIRE(ToHex(MakeProof("Jefe", "what do ya want ", {"for ", "nothing?"})) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("whoever has another secret, session, nonce or side proves nothing") {
  const std::string secret(32, 's');
  const std::string nonce(32, 'a');
  const std::string other(32, 'b');
  const std::string proof = ProcessProof(secret, nonce, other);
  REQUIRE(SameProof(proof, ProcessProof(secret, nonce, other)));
  REQUIRE_FALSE(SameProof(proof, ProcessProof(other, nonce, other)));
  REQUIRE_FALSE(SameProof(proof, ProcessProof(secret, other, nonce)));
  REQUIRE_FALSE(SameProof(ServiceProof(secret, "a"), ServiceProof(secret, "b")));
  REQUIRE(ServiceProof(secret, "a") == ToHex(MakeProof(secret, "capsem service", {"a"})));
  REQUIRE_FALSE(SameProof(ServiceProof(secret, nonce + other), proof));
  REQUIRE_FALSE(SameProof("", proof));
  REQUIRE_FALSE(SameProof(proof.substr(1), proof));
}

TEST_CASE("random bytes are as many as asked for, and new each time") {
  REQUIRE(RandomBytes(0).empty());
  REQUIRE(RandomBytes(256).size() == 256);
  REQUIRE(RandomBytes(32) != RandomBytes(32));
}

}  // namespace
}  // namespace capsem::wire
