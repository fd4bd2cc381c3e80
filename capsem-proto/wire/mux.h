// Many channels over one byte stream that may be cut at any byte and go on later: pure, no I/O,
// used by both ends.
//
// On the stream: {u32 channel, u8 type, u8 kind, u16 0, u32 length} + payload, little-endian; types
// OPEN (payload = metadata), DATA, FIN, RESET (u32 reason), ACK (u64 consumed offset). PING and
// PONG (u64) are not kept over a cut.
// - Credit: a sender has at most kChannelWindow bytes on a channel that the receiver's layer above
//   has not Consumed, and at most kMaxInFlight on all. Of these, half is reserved in equal parts,
//   so that channels whose readers have stopped never stop the others. Unacknowledged bytes are
//   kept; acknowledged means consumed, never just received. A FIN counts as one byte after the
//   last.
// - After a cut both sides exchange ResumeState in the handshake; each then sends from the offset
//   the other wants. An offset outside [acknowledged, sent] ends the link for good. A channel that
//   the peer does not list although it has seen its id is over: finished, if everything was
//   received and sent, else reset.
// - Channel 0 is control: it always exists, is sent before the others and is never finished. The
//   others take turns, a frame each. Ids are never reused: odd ones are the host's, even ones the
//   guest's. Each side may have kMaxChannels open.
//
// Events are called from within any call but PullOutput, and may call back into the Mux or destroy
// it. Those about a channel come at once; on_writable and on_output when the outermost call ends,
// so that what one OnBytes causes leaves together.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "capsem/guest/v1/guest.pb.h"

namespace capsem::wire {

using ChannelId = uint32_t;
inline constexpr ChannelId kControlChannel = 0;
enum class ChannelKind : uint8_t { kControl = 0, kExec = 1, kFile = 2 };
// The kinds of channels that are opened: all but control.
constexpr bool IsOpened(uint64_t kind) {
  return kind == static_cast<uint8_t>(ChannelKind::kExec) ||
         kind == static_cast<uint8_t>(ChannelKind::kFile);
}

class Mux {
 public:
  enum class Side { kHost, kGuest };
  struct Events {
    // The peer opened a channel. To refuse it, Reset it.
    absl::AnyInvocable<void(ChannelId, ChannelKind, std::string_view metadata)> on_open;
    // New bytes, or the peer's FIN: look at Readable and Finished.
    absl::AnyInvocable<void(ChannelId)> on_readable;
    // Write may take bytes again, after it took less than it was given.
    absl::AnyInvocable<void(ChannelId)> on_writable;
    // The channel ended without both FINs; it is forgotten. Not called for one's own Reset.
    absl::AnyInvocable<void(ChannelId)> on_reset;
    // PullOutput has something again; told once until it has been emptied.
    absl::AnyInvocable<void()> on_output;
    absl::AnyInvocable<void(uint64_t)> on_pong = [](uint64_t) {};
  };

  Mux(Side side, Events events);
  ~Mux();
  Mux(const Mux&) = delete;
  Mux& operator=(const Mux&) = delete;

  // ---- for the layer above; all of it works while there is no connection, too ----
  // ResourceExhausted: kMaxChannels are open.
  StatusOr<ChannelId> Open(ChannelKind kind, std::string_view metadata = {});
  // Takes what fits into the window and says how much; the rest after on_writable. 0 for a channel
  // that is gone.
  size_t Write(ChannelId id, std::string_view bytes);
  // In place of Write, for bytes that are made where they are to lie: room for some of `wanted`
  // bytes, valid until the next call, and then how many of them there are. Empty when Write would
  // take nothing; on_writable comes then.
  std::span<char> MakeRoom(ChannelId id, size_t wanted);
  void Wrote(ChannelId id, size_t bytes);
  // No more will be written. The channel is forgotten when both sides have finished, consumed and
  // acknowledged.
  void Finish(ChannelId id);
  void Reset(ChannelId id);
  // What has been received and not consumed, in one piece. Valid until the next call of Consume or
  // OnBytes, and no longer than the event in which it was asked for.
  std::string_view Readable(ChannelId id) const;
  void Consume(ChannelId id, size_t bytes);
  // The peer has finished, and everything has been consumed. True also for a channel that is gone.
  bool Finished(ChannelId id) const;
  bool Exists(ChannelId id) const;
  // All but control, in order.
  std::vector<ChannelId> Channels() const;
  // Answered by on_pong, unless the connection is lost or another Ping overtakes it.
  void Ping(uint64_t value);

  // ---- for the connection ----
  // What is said in the handshake.
  capsem::guest::v1::MuxResume ResumeState() const;
  // The connection is up. The first one of a link: Connected(); later ones: Resume with what the
  // peer said.
  void Connected();
  Status Resume(const capsem::guest::v1::MuxResume& peer);
  void Disconnected();
  bool connected() const;
  // An error is the peer's fault and final: the link is to be ended.
  Status OnBytes(std::string_view bytes);
  // Whole frames, at most about `max` bytes (kVsockPacket or more), in sending order; empty when
  // there are none. What has been pulled cannot be overtaken any more: pull when the connection's
  // own buffer is empty or nearly so. The pieces lie in the channels, and are valid until the next
  // call.
  std::span<const std::string_view> PullPieces(size_t max);
  // The same, appended to `out`; says whether anything was.
  bool PullOutput(std::string& out, size_t max);

  // ---- for suspend and fork, while disconnected ----
  // Everything above as bytes (bounded: about kMaxInFlight in each direction), and back. No event
  // is told again: the layer above looks at Channels, Readable and Finished, and writes what it
  // could not write before. DataLoss: these are not bytes that Save of the same side made.
  std::string Save() const;
  static StatusOr<std::unique_ptr<Mux>> Restore(Side side, std::string_view state, Events events);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace capsem::wire
