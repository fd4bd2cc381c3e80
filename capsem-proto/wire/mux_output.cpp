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

bool Mux::Impl::PullOutput(std::string& out, size_t max) {
  if (!connected || !failed.ok()) return false;
  const size_t begin = out.size();
  const size_t limit = begin + max;
  PullFirst(out, limit);
  PullAcks(out, acks_due, limit);
  MuxChannel& control = *Find(kControlChannel);
  while (control.HasOutput() && out.size() < limit) AppendTurn(control, out, limit);
  while (!opens.empty() && out.size() < limit) {
    MuxChannel& channel = *Find(opens.front());
    opens.pop_front();
    channel.open_sent = true;
    AppendMuxHeader(out, MuxType::kOpen, static_cast<uint8_t>(channel.kind), channel.id,
                    channel.metadata.size());
    out.append(channel.metadata);
  }
  PullTurns(out, limit);
  if (turns.empty() && out.size() > begin) PullAcks(out, acks_later, limit);
  output_told = HasOutput();
  return out.size() > begin;
}

void Mux::Impl::PullFirst(std::string& out, size_t limit) {
  if (pong) AppendMuxNumber(out, MuxType::kPong, 0, *std::exchange(pong, std::nullopt));
  if (ping) AppendMuxNumber(out, MuxType::kPing, 0, *std::exchange(ping, std::nullopt));
  for (; !resets.empty() && out.size() < limit; resets.pop_front()) {
    AppendMuxNumber(out, MuxType::kReset, resets.front(), 0);
    --CountOf(resets.front());
  }
}

void Mux::Impl::PullAcks(std::string& out, std::deque<ChannelId>& from, size_t limit) {
  while (!from.empty() && out.size() < limit) {
    MuxChannel& channel = *Find(from.front());
    from.pop_front();
    channel.ack = MuxChannel::AckState::kNone;
    Incoming(channel, [&] { channel.told = channel.consumed_end(); });
    AppendMuxNumber(out, MuxType::kAck, channel.id, channel.told);
    Settle(channel);
  }
}

void Mux::Impl::PullTurns(std::string& out, size_t limit) {
  const size_t begin = out.size();
  while (!turns.empty() && out.size() < limit) {
    if (out.size() > begin && limit - out.size() < kWorthwhile) return;
    MuxChannel& channel = *Find(turns.front());
    turns.pop_front();
    channel.in_turn = false;
    AppendTurn(channel, out, limit);
    TakeTurn(channel);
  }
}

void Mux::Impl::AppendTurn(MuxChannel& channel, std::string& out, size_t limit) {
  const size_t room = std::clamp(limit - out.size(), kWorthwhile, kMaxMuxPayload);
  const std::string_view bytes = channel.Unsent().substr(0, room);
  if (!bytes.empty()) {
    AppendMuxHeader(out, MuxType::kData, 0, channel.id, bytes.size());
    out.append(bytes);
    channel.sent += bytes.size();
  }
  if (channel.finished && !channel.fin_sent && channel.sent == channel.written()) {
    AppendMuxHeader(out, MuxType::kFin, 0, channel.id, 0);
    channel.fin_sent = true;
  }
}

}  // namespace capsem::wire
