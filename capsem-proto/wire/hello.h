// The handshake on a new connection, as pure state machines: bytes in, bytes out, then the
// multiplexer's bytes.
//
//   guest                                    host
//   GuestHello{range, nonce, link id}  ───►
//                                      ◄───  HostHello{version, nonce, secret (first time) | proof,
//                                      resume}
//   GuestProof{proof, resume}          ───►
//                                      ◄───  HostReady, then the multiplexer
//
// The first hello of a machine, before anything else runs in it, hands over the link's secret;
// every later hello of either side proves it (HMAC-SHA256 over both nonces, compared in constant
// time). A peer that fails gets an error and learns nothing; bytes beyond kMaxHandshake before the
// end are an error, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"

namespace capsem::wire {

// What both ends keep about their link between connections.
struct LinkIdentity {
  uint64_t link_id = 0;  // 0 on the guest's side: never linked
  std::string secret;    // kSecretBytes; empty on the guest's side: never linked
};

struct HandshakeResult {
  uint32_t protocol = 0;
  std::string peer_build;  // as told by the peer, at most 128 bytes
  std::optional<capsem::guest::v1::MuxResume>
      peer_resume;  // absent on the first connection of a link
};

class HostHandshake {
 public:
  // `established`: a guest has been given the secret already; `resume` is said then.
  HostHandshake(LinkIdentity identity, bool established, capsem::guest::v1::MuxResume resume);
  // Takes all bytes. An error ends the connection (send Output() first: it says why, for the peer's
  // log).
  Status OnBytes(std::string_view bytes);
  // What is to be sent now; empties it.
  std::string TakeOutput();
  bool done() const;
  const HandshakeResult& result() const;  // when done
  // Bytes that came after the handshake: the multiplexer's.
  std::string TakeRest();

 private:
  Status OnHello(const capsem::guest::v1::GuestHello& hello);
  Status OnProof(const capsem::guest::v1::GuestProof& proof);

  enum class Step { kAwaitHello, kAwaitProof, kDone };
  const LinkIdentity identity_;
  const bool established_;
  const capsem::guest::v1::MuxResume resume_;
  Step step_ = Step::kAwaitHello;
  std::string nonce_, peer_nonce_, input_, output_;
  HandshakeResult result_;
};

class GuestHandshake {
 public:
  // Says GuestHello at once (TakeOutput). `resume` is said when `identity` has a secret.
  GuestHandshake(LinkIdentity identity, capsem::guest::v1::MuxResume resume, std::string build);
  Status OnBytes(std::string_view bytes);
  std::string TakeOutput();
  bool done() const;
  const HandshakeResult& result() const;
  const LinkIdentity& identity() const;  // when done: to be kept
  std::string TakeRest();

 private:
  Status OnHello(const capsem::guest::v1::HostHello& hello);

  enum class Step { kAwaitHello, kAwaitReady, kDone };
  LinkIdentity identity_;
  const capsem::guest::v1::MuxResume resume_;
  Step step_ = Step::kAwaitHello;
  std::string nonce_, input_, output_;
  HandshakeResult result_;
};

}  // namespace capsem::wire
