// What goes to the peer, in this order: heartbeat, what frees the peer's memory (RESET, ACK),
// control, OPENs, then the channels in turn. An ACK that ends a channel comes before any OPEN, so
// that the peer never counts more channels than there are.
#include <algorithm>

#include "wire/mux_impl.h"

namespace capsem::wire {
namespace {

// A DATA frame smaller than this is not begun at the end of a pull when more is waiting.
constexpr size_t kWorthwhile = 4 * 1024;

}  // namespace

std::span<const std::string_view> Mux::Impl::PullPieces(size_t max) {
  pulled.Clear();
  if (!connected || !failed.ok()) return {};
  PullFirst(max);
  PullAcks(acks_due, max);
  MuxChannel& control = *Find(kControlChannel);
  while (control.HasOutput() && pulled.size() < max) PullFrame(control, max);
  while (!opens.empty() && pulled.size() < max) {
    MuxChannel& channel = *Find(opens.front());
    opens.pop_front();
    channel.open_sent = true;
    AppendMuxHeader(pulled.small(), MuxType::kOpen, static_cast<uint8_t>(channel.kind), channel.id,
                    channel.metadata.size());
    pulled.small() += channel.metadata;
  }
  PullTurns(max);
  if (turns.empty() && pulled.size() > 0) PullAcks(acks_later, max);
  output_told = HasOutput();
  return pulled.View();
}

void Mux::Impl::PullFirst(size_t max) {
  std::string& out = pulled.small();
  if (pong) AppendMuxNumber(out, MuxType::kPong, 0, *std::exchange(pong, std::nullopt));
  if (ping) AppendMuxNumber(out, MuxType::kPing, 0, *std::exchange(ping, std::nullopt));
  for (; !resets.empty() && pulled.size() < max; resets.pop_front()) {
    AppendMuxNumber(out, MuxType::kReset, resets.front(), 0);
    --CountOf(resets.front());
  }
}

void Mux::Impl::PullAcks(std::deque<ChannelId>& from, size_t max) {
  while (!from.empty() && pulled.size() < max) {
    MuxChannel& channel = *Find(from.front());
    from.pop_front();
    channel.ack = MuxChannel::AckState::kNone;
    Incoming(channel, [&] { channel.told = channel.consumed_end(); });
    AppendMuxNumber(pulled.small(), MuxType::kAck, channel.id, channel.told);
    Settle(channel);
  }
}

void Mux::Impl::PullTurns(size_t max) {
  const size_t begin = pulled.size();
  while (!turns.empty() && pulled.size() < max) {
    if (pulled.size() > begin && max - pulled.size() < kWorthwhile) return;
    MuxChannel& channel = *Find(turns.front());
    turns.pop_front();
    channel.in_turn = false;
    PullFrame(channel, max);
    TakeTurn(channel);
  }
}

void Mux::Impl::PullFrame(MuxChannel& channel, size_t max) {
  // Header and all: a pull of 64 KiB is then one packet of vsock, not one and a small one.
  const size_t left = max - std::min(max, pulled.size() + kMuxHeader);
  const std::string_view bytes = channel.Unsent().substr(0, std::max(left, kWorthwhile));
  if (!bytes.empty()) {
    AppendMuxHeader(pulled.small(), MuxType::kData, 0, channel.id, bytes.size());
    pulled.Add(bytes);
    channel.sent += bytes.size();
  }
  if (channel.finished && !channel.fin_sent && channel.sent == channel.written()) {
    AppendMuxHeader(pulled.small(), MuxType::kFin, 0, channel.id, 0);
    channel.fin_sent = true;
  }
}

}  // namespace capsem::wire
