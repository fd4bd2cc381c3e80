// What comes from the peer. Everything it can do wrong is an error here, and the link's end; what
// it sends for a channel that this side has forgotten was on its way already, and is dropped.
#include "wire/mux_impl.h"

#include "base/planted.h"

namespace capsem::wire {

Status Mux::Impl::OnBytes(std::string_view bytes) {
  // A callback may end the connection, or destroy the Mux.
  while (connected && !orphaned && !bytes.empty()) {
    TRY(Status(failed));
    const auto frame = decoder.Next(bytes);
    if (!frame.ok()) {
      failed = frame.status();
    } else if (*frame) {
      failed = OnFrame(**frame);
    }
  }
  return failed;
}

Status Mux::Impl::OnFrame(const MuxFrame& frame) {
  if (frame.type == MuxType::kOpen) return OnOpen(frame);
  if (frame.type == MuxType::kPing) {
    pong = frame.Number();
    return OkStatus();
  }
  if (frame.type == MuxType::kPong) {
    events.on_pong(frame.Number());
    return OkStatus();
  }
  const ChannelId id = frame.channel;
  MuxChannel* channel = Find(id);
  const bool seen = id <= (IsOwn(id) ? highest_own : highest_peer);
  if (channel == nullptr && seen) return OkStatus();
  if (channel == nullptr || !channel->open_sent) {
    return InvalidArgument("a frame for channel {}, which was never opened", id);
  }
  switch (frame.type) {
    case MuxType::kData: return OnData(*channel, frame.payload);
    case MuxType::kFin: return OnFin(*channel);
    case MuxType::kReset: return OnReset(*channel);
    default: return OnAck(*channel, frame.Number());
  }
}

Status Mux::Impl::OnOpen(const MuxFrame& frame) {
  const ChannelId id = frame.channel;
  if (IsOwn(id)) return InvalidArgument("channel {} was opened by the wrong side", id);
  if (id <= highest_peer) return InvalidArgument("channel {} was opened again", id);
  if (count_peer >= kMaxChannels) {
    return InvalidArgument("more than {} channels were opened", kMaxChannels);
  }
  highest_peer = id;
  const auto kind = static_cast<ChannelKind>(frame.kind);
  Add(id, kind);
  events.on_open(id, kind, frame.payload);
  return OkStatus();
}

Status Mux::Impl::OnData(MuxChannel& channel, std::string_view bytes) {
  if (channel.fin_received) {
    return InvalidArgument("bytes on channel {} after its end", channel.id);
  }
  if (bytes.size() > kChannelWindow - channel.in.size()) {
    return InvalidArgument("more bytes on channel {} than its window", channel.id);
  }
  if (channel.id != kControlChannel && bytes.size() > kMaxInFlight - unconsumed) {
    return InvalidArgument("more bytes in flight than one link may have");
  }
  const bool pool_was_short = pool_in >= kInFlightPool / 2;
  const ChannelId id = channel.id;
  // Most of it is consumed within the event, and then it was never copied.
  Incoming(channel, [&] { channel.in.Lend(bytes); });
  if (!pool_was_short && pool_in >= kInFlightPool / 2) AckAllLater();
  events.on_readable(id);
  if (MuxChannel* still = Find(id)) still->in.Keep();
  return OkStatus();
}

Status Mux::Impl::OnFin(MuxChannel& channel) {
  if (channel.fin_received) return InvalidArgument("channel {} ended twice", channel.id);
  channel.fin_received = true;
  const ChannelId id = channel.id;
  if (channel.in_finished()) PlanAck(channel);
  Settle(channel);
  events.on_readable(id);
  return OkStatus();
}

Status Mux::Impl::OnReset(MuxChannel& channel) {
  const ChannelId id = channel.id;
  Forget(channel);
  events.on_reset(PLANTED(2) ? channel.id : id);  // Planted 2: what is forgotten is still there.
  return OkStatus();
}

Status Mux::Impl::OnAck(MuxChannel& channel, uint64_t offset) {
  // Planted 1: more can be acknowledged than was sent.
  if (offset < channel.acked_end() || offset > channel.sent_end() + (PLANTED(1) ? 1024 : 0)) {
    return InvalidArgument("channel {}: {} acknowledged, which is outside of [{}, {}]", channel.id,
                           offset, channel.acked_end(), channel.sent_end());
  }
  Outgoing(channel, [&] { channel.Acknowledge(offset); });
  Settle(channel);
  return OkStatus();
}

}  // namespace capsem::wire
