// One vsock connection as rules: states, credit, and which packets we owe. It knows no rings and no
// sockets; VsockSwitch tells it what came from either side and sends what it owes.
//
// The guest dials; REQUEST was accepted when this object is made, and a RESPONSE is owed. After
// that both sides send data, each within the credit that the other's headers grant: at most
// `buffer_size` bytes may be sent that `forwarded` does not cover yet. Both count bytes since the
// connection began, modulo 2^32.
//
//                             ┌────────┐  guest: SHUTDOWN(send)      ┌───────────────┐
//                             │  open  │────────────────────────────▶│ guest finished│
//                             └───┬────┘                             └──────┬────────┘
//       host: end of its stream   │                    host: end of stream  │
//       guest: SHUTDOWN(receive)  ▼                                         ▼
//                      ┌───────────────┐  guest: SHUTDOWN(send)      ┌───────────────┐
//                      │ host finished │────────────────────────────▶│    draining   │
//                      └───────────────┘                             └──────┬────────┘
//                                          all bytes forwarded to the host  │
//   any state: breach of the rules, or the  ┌──────────┐                    ▼
//   host's stream failed ──────────────────▶│  ending  │◀───────────────────┘
//                                           └────┬─────┘
//   any state: guest's RST ──▶ closed ◀──────────┘ our RST was sent
#pragma once

#include <cstdint>
#include <optional>

#include "vsock/vsock_packet.h"

namespace capsem::process {

class VsockConnection {
 public:
  enum class State { kOpen, kGuestFinished, kHostFinished, kDraining, kEnding, kClosed };
  // What we buffer of one connection: as much as the agent asks for at its end (wire/limits.h).
  // Linux takes no window larger than its own buffer, which is 256 KiB for who asks for nothing.
  static constexpr uint32_t kBufferSize = 1024 * 1024;

  // From the guest's REQUEST.
  explicit VsockConnection(const VsockHeader& request);

  // A packet of this connection. The answer: how many bytes of its payload go to the host's stream.
  uint32_t OnPacket(const VsockHeader& packet);
  // The host's stream has taken this many of the guest's bytes for good.
  void OnForwarded(uint32_t bytes);
  // The host's stream ended: no bytes will come from it any more.
  void OnHostFinished();
  // The host's stream failed.
  void Abort();

  // How many bytes the guest may be sent now.
  uint32_t window() const;
  // The header for that many bytes of payload, which are within the window.
  VsockHeader DataHeader(uint32_t size);
  // The next packet without payload that the guest must be told, in order; to be sent once taken.
  std::optional<VsockHeader> TakeOwed();
  bool owes() const;

  State state() const { return state_; }
  // The guest will send no more.
  bool guest_finished() const;
  // The guest wants no more.
  bool guest_deaf() const { return guest_deaf_; }

 private:
  void To(State next);
  uint32_t OnData(const VsockHeader& packet);
  void OnShutdown(uint32_t flags);
  // The guest has sent all, and the host's stream has it all.
  void EndWhenDrained();
  bool OverCreditThreshold() const;
  VsockHeader Header(VsockOp op, uint32_t flags);
  void LearnCredit(const VsockHeader& packet);

  const VsockHeader reply_;  // addresses of all that we send
  State state_ = State::kOpen;
  bool owes_response_ = true;
  bool owes_shutdown_ = false;
  bool owes_credit_ = false;
  bool guest_deaf_ = false;
  // Guest to host.
  uint32_t received_ = 0;
  uint32_t forwarded_ = 0;
  uint32_t forwarded_told_ = 0;
  // Host to guest.
  uint32_t sent_ = 0;
  uint32_t guest_buffer_size_ = 0;
  uint32_t guest_forwarded_ = 0;
};

}  // namespace capsem::process
