// The handshake on a new connection, as pure state machines: bytes in, bytes out, then the
// multiplexer's bytes.
//
//   guest                                    host
//   GuestHello{range, nonce, link id}  ───►
//                                      ◄───  HostHello{version, nonce, secret (first time) | proof,
//                                                      resume}
//   GuestProof{proof, resume}          ───►
//                                      ◄───  HostReady, then the multiplexer
//
// The first hello of a machine, before anything else runs in it, hands over the link's secret;
// every later hello of either side proves it (HMAC-SHA256 over both nonces, compared in constant
// time). A peer that fails gets an error and learns nothing. A frame over kMaxHandshake is an
// error, too.
//
// "Later" begins when a guest has proven the secret once. A connection may be lost just before:
// then a guest that has the secret proves it on the next one, and one that never got it is given it
// again. Without `peer_resume` the Mux is Connected, with it Resumed.
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

  // For a new machine, by the host.
  static LinkIdentity Generate();
};

struct HandshakeResult {
  uint32_t protocol = 0;
  std::string peer_build;  // as told by the peer, at most 128 bytes
  std::optional<capsem::guest::v1::MuxResume> peer_resume;  // absent on the first connection
};

class HostHandshake {
 public:
  // `established`: a handshake of this link has been done() once; `resume` is said then, too.
  HostHandshake(LinkIdentity identity, bool established, capsem::guest::v1::MuxResume resume);
  // Takes all bytes. An error ends the connection (send TakeOutput() first: it says why, for the
  // peer's log).
  Status OnBytes(std::string_view bytes);
  // What is to be sent now; empties it.
  std::string TakeOutput();
  bool done() const { return step_ == Step::kDone; }
  const HandshakeResult& result() const { return result_; }  // when done
  // Bytes that came after the handshake: the multiplexer's.
  std::string TakeRest();

 private:
  Status OnHello(const capsem::guest::v1::GuestHello& hello);
  Status OnProof(const capsem::guest::v1::GuestProof& proof);
  Status Refuse(Status reason);

  enum class Step { kAwaitHello, kAwaitProof, kDone, kFailed };
  const LinkIdentity identity_;
  const bool established_;
  const capsem::guest::v1::MuxResume resume_;
  Step step_ = Step::kAwaitHello;
  bool first_ = false;  // this hello hands over the secret
  const std::string nonce_;
  std::string peer_nonce_, input_, output_;
  HandshakeResult result_;
};

class GuestHandshake {
 public:
  // Says GuestHello at once (TakeOutput). `resume` is said when `identity` has a secret.
  GuestHandshake(LinkIdentity identity, capsem::guest::v1::MuxResume resume, std::string build);
  Status OnBytes(std::string_view bytes);
  std::string TakeOutput();
  bool done() const { return step_ == Step::kDone; }
  const HandshakeResult& result() const { return result_; }  // when done
  // To be kept, also when the connection is lost before the handshake was done: the host may have
  // heard the proof already, and hands the secret over no more.
  const LinkIdentity& identity() const { return identity_; }
  std::string TakeRest();

 private:
  Status OnHello(const capsem::guest::v1::HostHello& hello);
  Status Agree(const capsem::guest::v1::HostHello& hello);

  enum class Step { kAwaitHello, kAwaitReady, kDone, kFailed };
  LinkIdentity identity_;
  const capsem::guest::v1::MuxResume resume_;
  const bool first_;  // it was never linked
  Step step_ = Step::kAwaitHello;
  const std::string nonce_;
  std::string input_, output_;
  HandshakeResult result_;
};

}  // namespace capsem::wire
