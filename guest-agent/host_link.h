// The agent's one connection to its host: dials, proves itself, and carries the multiplexer's
// bytes. When the connection is lost (the device was unplugged, the host's process changed), it
// dials again as soon as there is a way, and the channels go on where they were. On the loop.
#pragma once

#include <memory>
#include <optional>

#include "base/byte_stream.h"
#include "base/timer.h"
#include "base/turn_end.h"
#include "wire/hello.h"
#include "wire/mux.h"

namespace capsem::agent {

class HostLink {
 public:
  // Begins a connection: a non-blocking descriptor that becomes writable once it stands.
  // FailedPrecondition: there is no device; OnDevice is called when there is.
  using Dial = absl::AnyInvocable<StatusOr<UniqueFd>()>;
  struct Events {
    // The two ends do not agree on what was said: nothing can be said any more.
    absl::AnyInvocable<void(Status)> on_lost_for_good;
  };

  HostLink(Loop& loop, wire::Mux& mux, Dial dial, Events events);
  HostLink(const HostLink&) = delete;
  HostLink& operator=(const HostLink&) = delete;

  // There may be a device: dials, unless it is connected or on the way.
  void OnDevice();
  // The multiplexer has something to send: it leaves at the end of the loop's turn, all in one, for
  // each write wakes the host.
  void PumpSoon() { turn_end_.Ask(); }

 private:
  void DialLater(const Status& why);
  void OnConnected();
  void OnBytes(std::string_view bytes);
  Status OnHandshakeBytes(std::string_view bytes);
  void Pump();
  void OnDrained();
  void OnEnd(const Status& why);

  Loop& loop_;
  wire::Mux& mux_;
  Dial dial_;
  Events events_;
  wire::LinkIdentity identity_;
  UniqueFd dialing_;
  std::unique_ptr<FdWatch> dial_watch_;  // after dialing_: destroyed first
  std::optional<wire::GuestHandshake> handshake_;
  std::unique_ptr<ByteStream> stream_;
  bool congested_ = false;  // the stream is over its high-water mark
  TurnEnd turn_end_;
  Timer redial_;
  std::chrono::milliseconds redial_delay_;
};

}  // namespace capsem::agent
