// Fuzz target (meson -Dfuzz=true): a handshake whose bytes are changed on the way, or that is none.
// Whoever does not know the secret never gets to the end, and a secret is never replaced.
#include "wire/hello.h"

#include "wire/frame.h"
#include "wire/limits.h"
#include "wire/testing/fuzz_input.h"

using namespace capsem;
using namespace capsem::wire;

namespace {

const LinkIdentity kKnown{4711, std::string(kSecretBytes, 'k')};
const LinkIdentity kStranger{4711, std::string(kSecretBytes, 's')};

// Says what `from` says, perhaps with some bytes changed, in pieces.
template <typename From, typename To>
bool Carry(FuzzInput& input, From& from, To& to, bool& changed) {
  std::string bytes = from.TakeOutput();
  for (size_t changes = input.Byte() % 4; changes > 0 && !bytes.empty(); --changes) {
    const size_t at = input.Number() % bytes.size();
    const char now = static_cast<char>(bytes[at] ^ input.Byte());
    changed = changed || now != bytes[at];
    bytes[at] = now;
  }
  if (input.Byte() % 8 == 0) {
    const std::string_view more = input.Bytes(input.Byte());
    changed = changed || !more.empty();
    bytes += more;
  }
  const size_t piece = size_t{input.Byte()} + 1;
  for (std::string_view rest = bytes; !rest.empty();) {
    if (!to.OnBytes(rest.substr(0, piece)).ok()) return false;
    rest.remove_prefix(std::min(piece, rest.size()));
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const uint8_t how = input.Byte();
  const bool established = (how & 1) != 0;
  const LinkIdentity guest_identity = (how & 2) != 0   ? kKnown
                                      : (how & 4) != 0 ? kStranger
                                                       : LinkIdentity();
  HostHandshake host(kKnown, established, {});
  GuestHandshake guest(guest_identity, {}, "a build");
  bool changed = false;
  bool good = true;
  for (int turn = 0; turn < 2 && good; ++turn) {
    good = Carry(input, guest, host, changed) && Carry(input, host, guest, changed);
  }
  if (host.done()) {
    ENSURE(host.result().protocol >= kProtocolMin && host.result().protocol <= kProtocolMax);
    ENSURE(guest_identity.secret != kStranger.secret);
    ENSURE(host.result().peer_resume.has_value() || !established);
  }
  // Nobody but its host can tell a guest to go on, or to forget its secret.
  if (guest.done() && guest_identity.link_id != 0) ENSURE(guest_identity.secret == kKnown.secret);
  if (guest_identity.link_id != 0) ENSURE(guest.identity().secret == guest_identity.secret);
  const bool known = guest_identity.secret != kStranger.secret;
  const bool may = known && (!established || guest_identity.link_id != 0);
  if (!changed) ENSURE(host.done() == may && guest.done() == may);
  return 0;
}
