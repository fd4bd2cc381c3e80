// The state of a Mux and its steps, shared by mux.cpp (the layer above), mux_input.cpp,
// mux_output.cpp, mux_resume.cpp and mux_state.cpp. Internal to wire/mux.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "wire/mux.h"
#include "wire/mux_channel.h"
#include "wire/mux_codec.h"
#include "wire/mux_pieces.h"

namespace capsem::wire {

struct Mux::Impl {
  Impl(Side own_side, Events layer);

  // ---- state: kept over a cut, and saved ----
  const Side side;
  BlockPool blocks;  // before the channels, which use it
  std::map<ChannelId, MuxChannel> channels;
  ChannelId highest_own = 0;  // 0 = none yet
  ChannelId highest_peer = 0;

  // ---- of this connection ----
  bool connected = false;
  Status failed;  // the peer broke the rules: final
  MuxDecoder decoder;
  std::optional<uint64_t> ping;  // to be sent; a newer one replaces it, so a flood fills nothing
  std::optional<uint64_t> pong;
  std::deque<ChannelId> resets;      // to be sent; the channels themselves are gone
  std::deque<ChannelId> acks_due;    // to be sent at once
  std::deque<ChannelId> acks_later;  // to be sent along with other output
  std::deque<ChannelId> opens;       // to be sent, in order of their ids
  std::deque<ChannelId> turns;       // channels other than control with something to send
  MuxPieces pulled;                  // by the last pull; kept for its memory

  // ---- sums over channels, without control ----
  size_t pool_out = 0;            // taken from the pool by what was written and not acknowledged
  size_t pool_in = 0;             // likewise by what has come and was not yet acknowledged
  size_t unconsumed = 0;          // bytes that have come and were not consumed
  std::deque<ChannelId> writers;  // that wait to write, in order
  // Channels that have not Ended, or whose RESET is still to be sent: what the peer may count, too.
  size_t count_own = 0;
  size_t count_peer = 0;

  // ---- calling the layer above ----
  Events events;
  int depth = 0;             // of calls into the Mux; the outermost one tells about output
  bool orphaned = false;     // the Mux was destroyed from within an event
  bool output_told = false;  // on_output was called, and PullOutput has not emptied us since

  // Keeps the state alive through events that may destroy the Mux; tells the rest at the end.
  class Scope {
   public:
    explicit Scope(Impl& impl) : impl_(impl) { ++impl_.depth; }
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Impl& impl_;
  };

  MuxChannel* Find(ChannelId id);
  bool IsOwn(ChannelId id) const { return (id % 2 == 1) == (side == Side::kHost); }
  MuxChannel& Add(ChannelId id, ChannelKind kind);
  size_t& CountOf(ChannelId id) { return IsOwn(id) ? count_own : count_peer; }
  // Takes it out of everything.
  void Forget(MuxChannel& channel);
  // Something about its end has changed: it counts no longer, or is over. The last thing to be done
  // with a channel.
  void Settle(MuxChannel& channel);

  // How much Write may take.
  size_t Room(const MuxChannel& channel) const;
  // Changes what the channel has written or has been acknowledged, and keeps the sums.
  template <typename Change>
  void Outgoing(MuxChannel& channel, Change change);
  template <typename Change>
  void Incoming(MuxChannel& channel, Change change);

  void AwaitRoom(MuxChannel& channel);  // it could not be given all that it wanted
  void TakeTurn(MuxChannel& channel);   // it has something to send
  void PlanAck(MuxChannel& channel);    // something was consumed
  void AckAllLater();                   // the pool is short: what was consumed is said soon
  bool HasOutput();
  void TellWriters();
  void TellOutput();

  // mux_input.cpp
  Status OnBytes(std::string_view bytes);
  Status OnFrame(const MuxFrame& frame);
  Status OnOpen(const MuxFrame& frame);
  Status OnData(MuxChannel& channel, std::string_view bytes);
  Status OnFin(MuxChannel& channel);
  Status OnReset(MuxChannel& channel);
  Status OnAck(MuxChannel& channel, uint64_t offset);

  // mux_output.cpp
  std::span<const std::string_view> PullPieces(size_t max);
  void PullFirst(size_t max);
  void PullAcks(std::deque<ChannelId>& from, size_t max);
  void PullTurns(size_t max);
  void PullFrame(MuxChannel& channel, size_t max);

  // mux_resume.cpp
  capsem::guest::v1::MuxResume ResumeState() const;
  Status CheckResume(const capsem::guest::v1::MuxResume& peer) const;
  Status Resume(const capsem::guest::v1::MuxResume& peer);
  void Start();

  // mux_state.cpp; on a fresh state. False: not what Save wrote.
  bool Load(std::string_view state);
  MuxChannel* LoadChannel(ChannelId id, uint64_t kind, ChannelId previous);
};

template <typename Change>
void Mux::Impl::Outgoing(MuxChannel& channel, Change change) {
  const size_t before = PoolCharge(channel.out.size());
  change();
  if (channel.id != kControlChannel) pool_out += PoolCharge(channel.out.size()) - before;
}

template <typename Change>
void Mux::Impl::Incoming(MuxChannel& channel, Change change) {
  const auto charge = [&] {
    const uint64_t said = std::min(channel.told, channel.consumed);
    return PoolCharge(channel.received() - said);
  };
  const size_t charged = charge();
  const size_t size = channel.in.size();
  change();
  if (channel.id == kControlChannel) return;
  pool_in += charge() - charged;
  unconsumed += channel.in.size() - size;
}

}  // namespace capsem::wire
