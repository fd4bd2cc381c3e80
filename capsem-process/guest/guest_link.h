// The one link to the guest: handshake, control frames, and the resumable channels over whatever
// connection there is.
//
// The guest dials; a connection dies with every re-plug of the vsock device, and nobody above
// notices: the channels go on where they were. A guest that does not answer for a heartbeat, with
// or without a connection, has broken the link. Rules (architecture §4): a live connection is never
// displaced; at most kMaxUnproven others wait, kHelloTimeout each; a peer that breaks the handshake
// loses its connection, one that breaks the multiplexer's rules after it has proven itself ends the
// link for good (on_broken). Owned by GuestSession; loop thread only.
#pragma once

#include <absl/functional/any_invocable.h>

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/byte_stream.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/turn_end.h"
#include "base/weak.h"
#include "capsem/guest/v1/guest.pb.h"
#include "guest/heartbeat.h"
#include "wire/hello.h"
#include "wire/mux.h"

namespace capsem::process {

class GuestLink {
 public:
  struct Events {
    absl::AnyInvocable<void()> on_up;  // a proven connection: the first, or one after a loss
    absl::AnyInvocable<void(const capsem::guest::v1::GuestFrame&)> on_control;
    absl::AnyInvocable<void(wire::ChannelId)> on_readable;  // of an exec's channel
    absl::AnyInvocable<void(wire::ChannelId)> on_writable;
    absl::AnyInvocable<void(wire::ChannelId)> on_reset;
    absl::AnyInvocable<void(Status)> on_broken;  // once, for good
  };

  // A new link with a fresh secret.
  GuestLink(Loop& loop, Events events);
  ~GuestLink();
  GuestLink(const GuestLink&) = delete;
  GuestLink& operator=(const GuestLink&) = delete;

  void Adopt(UniqueFd fd);
  void DropConnection();
  bool up() const { return live_ != nullptr; }
  // The version that the guest speaks: of the last connection, 0 before there was one.
  uint32_t protocol() const { return protocol_; }
  // Arrives in order, whether the link is up now or only later.
  void SendControl(const capsem::guest::v1::HostFrame& frame);
  wire::Mux& mux() { return *mux_; }
  // While the guest stands still on purpose it is not expected to answer.
  void Rest(bool resting);

  // Everything that a link is, to a file (versioned, with a digest), and back; only while it is
  // down.
  Status SaveTo(const std::string& path) const;
  static StatusOr<std::unique_ptr<GuestLink>> RestoreFrom(Loop& loop, const std::string& path,
                                                          Events events);

 private:
  // A connection that has not proven itself yet.
  struct Peer;

  GuestLink(Loop& loop, Events events, wire::LinkIdentity identity, bool established);
  wire::Mux::Events MuxEvents();
  void OnPeerBytes(Peer& peer, std::string_view bytes);
  void DropPeer(Peer& peer, const Status& why);
  void Promote(Peer& peer);
  void OnLiveEnd(const Status& why);
  void OnBytes(std::string_view bytes);
  void OnControlReadable();
  void Pump();
  void FlushControl();
  void OnBeat();
  void Break(Status why);

  Loop& loop_;
  Events events_;
  const wire::LinkIdentity identity_;
  bool established_;  // the guest has proven once that it holds the secret
  bool broken_ = false;
  uint32_t protocol_ = 0;
  std::unique_ptr<wire::Mux> mux_;
  std::string control_out_;  // what the control channel's window has not taken yet
  std::list<std::unique_ptr<Peer>> peers_;
  std::unique_ptr<ByteStream> live_;
  bool full_ = false;  // live_ is over its high-water mark, and will say when it is not
  TurnEnd turn_end_;
  Heartbeat heartbeat_;
  Timer beat_;  // from the first proven connection on
  WeakOwner<GuestLink> weak_{this};
};

}  // namespace capsem::process
