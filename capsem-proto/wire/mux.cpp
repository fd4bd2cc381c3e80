#include "wire/mux.h"

#include <algorithm>
#include <utility>

#include "wire/mux_impl.h"

namespace capsem::wire {

// ---- state ----

Mux::Impl::Impl(Side own_side, Events layer) : side(own_side), events(std::move(layer)) {
  channels.emplace(kControlChannel,
                   MuxChannel{kControlChannel, ChannelKind::kControl, true, BlockQueue(blocks)});
}

MuxChannel* Mux::Impl::Find(ChannelId id) {
  const auto found = channels.find(id);
  return found == channels.end() ? nullptr : &found->second;
}

MuxChannel& Mux::Impl::Add(ChannelId id, ChannelKind kind) {
  ++CountOf(id);
  MuxChannel& channel =
      channels.emplace(id, MuxChannel{id, kind, !IsOwn(id), BlockQueue(blocks)}).first->second;
  channel.counted = true;
  return channel;
}

void Mux::Impl::Forget(MuxChannel& channel) {
  const ChannelId id = channel.id;
  Outgoing(channel, [&] { channel.out.Drop(channel.out.size()); });
  Incoming(channel, [&] {
    channel.consumed += channel.in.size();
    channel.in.Drop(channel.in.size());
    channel.told = channel.consumed;
  });
  if (!channel.open_sent) std::erase(opens, id);
  if (channel.in_turn) std::erase(turns, id);
  if (channel.waits_to_write) std::erase(writers, id);
  if (channel.ack == MuxChannel::AckState::kDue) std::erase(acks_due, id);
  if (channel.ack == MuxChannel::AckState::kLater) std::erase(acks_later, id);
  if (channel.counted) --CountOf(id);
  channels.erase(id);
}

void Mux::Impl::Settle(MuxChannel& channel) {
  if (!channel.Ended()) return;
  if (std::exchange(channel.counted, false)) --CountOf(channel.id);
  // While disconnected the peer may have been promised its last ACK again.
  if (connected && channel.Over()) Forget(channel);
}

size_t Mux::Impl::Room(const MuxChannel& channel) const {
  const size_t held = channel.out.size();
  const size_t window = kChannelWindow - held;
  if (channel.id == kControlChannel) return window;
  const size_t reserve = held < kInFlightReserve ? kInFlightReserve - held : 0;
  // At most as much of the pool as it leaves to the others: however many readers have stopped, half
  // of what they have left is there for the next channel.
  const size_t free = kInFlightPool - pool_out;
  const size_t charge = PoolCharge(held);
  const size_t share = free > charge ? (free - charge) / 2 : 0;
  return std::min(window, reserve + share);
}

void Mux::Impl::TakeTurn(MuxChannel& channel) {
  if (channel.id == kControlChannel || channel.in_turn || !channel.HasOutput()) return;
  channel.in_turn = true;
  turns.push_back(channel.id);
}

// An ACK is due in time for a sender that never stops to hear it before it has to; for the FIN; and
// for anything that counts while the pool is short. With less than that unsaid, every sender has
// room. The guest hears of half a window, as each packet to it is an interrupt; the host of a
// quarter, for the guest's kernel sends nothing before it has taken all that the host has sent.
void Mux::Impl::PlanAck(MuxChannel& channel) {
  using enum MuxChannel::AckState;
  const uint64_t unsaid = channel.consumed_end() - channel.told;
  if (channel.ack == kDue || unsaid == 0) return;
  const size_t enough = kChannelWindow / (side == Side::kHost ? 2 : 4);
  const bool pool_is_short = pool_in >= kInFlightPool / 2;
  const bool due = channel.in_finished() || unsaid >= enough ||
                   (pool_is_short && unsaid >= kInFlightReserve / 2);
  if (due) {
    if (channel.ack == kLater) std::erase(acks_later, channel.id);
    acks_due.push_back(channel.id);
    channel.ack = kDue;
  } else if (channel.ack == kNone) {
    acks_later.push_back(channel.id);
    channel.ack = kLater;
  }
}

void Mux::Impl::AckAllLater() {
  for (const ChannelId id : std::exchange(acks_later, {})) {
    MuxChannel& channel = *Find(id);
    channel.ack = MuxChannel::AckState::kNone;
    PlanAck(channel);
  }
}

void Mux::Impl::AwaitRoom(MuxChannel& channel) {
  if (std::exchange(channel.waits_to_write, true)) return;
  writers.push_back(channel.id);
}

bool Mux::Impl::HasOutput() {
  return connected && failed.ok() &&
         (ping || pong || !resets.empty() || !acks_due.empty() || !opens.empty() ||
          !turns.empty() || Find(kControlChannel)->HasOutput());
}

// ---- events ----

Mux::Impl::Scope::~Scope() {
  if (impl_.depth == 1) {
    impl_.TellWriters();
    impl_.TellOutput();
  }
  if (--impl_.depth == 0 && impl_.orphaned) delete &impl_;
}

// In the order of their asking; who then again takes less than it wants goes to the end.
void Mux::Impl::TellWriters() {
  for (size_t left = writers.size(); left > 0 && !writers.empty() && !orphaned; --left) {
    const ChannelId id = writers.front();
    writers.pop_front();
    MuxChannel& channel = *Find(id);
    if (Room(channel) < kInFlightReserve / 2) {
      writers.push_back(id);
      continue;
    }
    channel.waits_to_write = false;
    events.on_writable(id);
  }
}

// Again when the layer above has pulled everything and then written more from within the event.
void Mux::Impl::TellOutput() {
  while (!orphaned && !output_told && HasOutput()) {
    output_told = true;
    events.on_output();
  }
}

// ---- the layer above ----

Mux::Mux(Side side, Events events) : impl_(std::make_unique<Impl>(side, std::move(events))) {}

Mux::~Mux() {
  if (impl_->depth == 0) return;
  // From within an event: the call that raised it still needs the state, and deletes it.
  impl_->orphaned = true;
  (void)impl_.release();
}

StatusOr<ChannelId> Mux::Open(ChannelKind kind, std::string_view metadata) {
  ENSURE(kind != ChannelKind::kControl && metadata.size() <= kMaxMetadata);
  const Impl::Scope scope(*impl_);
  if (impl_->count_own >= kMaxChannels) {
    return ResourceExhausted("{} channels of one link are open, which is the most", kMaxChannels);
  }
  const ChannelId first = impl_->side == Side::kHost ? 1 : 2;
  if (impl_->highest_own > UINT32_MAX - 2) {
    return ResourceExhausted("the channel ids of one link are used up");
  }
  const ChannelId id = impl_->highest_own == 0 ? first : impl_->highest_own + 2;
  impl_->highest_own = id;
  MuxChannel& channel = impl_->Add(id, kind);
  channel.metadata = metadata;
  impl_->opens.push_back(id);
  return id;
}

size_t Mux::Write(ChannelId id, std::string_view bytes) {
  const Impl::Scope scope(*impl_);
  MuxChannel* channel = impl_->Find(id);
  if (channel == nullptr || channel->finished) return 0;
  const std::string_view taken = bytes.substr(0, impl_->Room(*channel));
  impl_->Outgoing(*channel, [&] { channel->out.Append(taken); });
  if (taken.size() < bytes.size()) impl_->AwaitRoom(*channel);
  impl_->TakeTurn(*channel);
  return taken.size();
}

std::span<char> Mux::MakeRoom(ChannelId id, size_t wanted) {
  MuxChannel* channel = impl_->Find(id);
  if (channel == nullptr || channel->finished) return {};
  const size_t size = std::min(wanted, impl_->Room(*channel));
  if (size > 0) return channel->out.Room(size);
  impl_->AwaitRoom(*channel);
  return {};
}

void Mux::Wrote(ChannelId id, size_t bytes) {
  const Impl::Scope scope(*impl_);
  MuxChannel& channel = *impl_->Find(id);
  impl_->Outgoing(channel, [&] { channel.out.Extend(bytes); });
  impl_->TakeTurn(channel);
}

void Mux::Finish(ChannelId id) {
  ENSURE(id != kControlChannel);
  const Impl::Scope scope(*impl_);
  MuxChannel* channel = impl_->Find(id);
  if (channel == nullptr || channel->finished) return;
  channel->finished = true;
  if (channel->waits_to_write) std::erase(impl_->writers, id);
  channel->waits_to_write = false;
  impl_->TakeTurn(*channel);
}

void Mux::Reset(ChannelId id) {
  ENSURE(id != kControlChannel);
  const Impl::Scope scope(*impl_);
  MuxChannel* channel = impl_->Find(id);
  if (channel == nullptr) return;
  const bool told = channel->open_sent;
  impl_->Forget(*channel);
  if (!told) return;  // the peer has never heard of it
  impl_->resets.push_back(id);
  ++impl_->CountOf(id);
}

std::string_view Mux::Readable(ChannelId id) const {
  const MuxChannel* channel = impl_->Find(id);
  return channel == nullptr ? std::string_view() : channel->in.view();
}

void Mux::Consume(ChannelId id, size_t bytes) {
  const Impl::Scope scope(*impl_);
  MuxChannel* channel = impl_->Find(id);
  if (channel == nullptr) return;
  ENSURE(bytes <= channel->in.size());
  impl_->Incoming(*channel, [&] {
    channel->in.Drop(bytes);
    channel->consumed += bytes;
  });
  impl_->PlanAck(*channel);
  impl_->Settle(*channel);
}

bool Mux::Finished(ChannelId id) const {
  const MuxChannel* channel = impl_->Find(id);
  return channel == nullptr || channel->in_finished();
}

bool Mux::Exists(ChannelId id) const { return impl_->Find(id) != nullptr; }

std::vector<ChannelId> Mux::Channels() const {
  std::vector<ChannelId> ids;
  for (const auto& [id, channel] : impl_->channels) {
    if (id != kControlChannel) ids.push_back(id);
  }
  return ids;
}

void Mux::Ping(uint64_t value) {
  const Impl::Scope scope(*impl_);
  if (impl_->connected) impl_->ping = value;
}

// ---- the connection ----

capsem::guest::v1::MuxResume Mux::ResumeState() const { return impl_->ResumeState(); }

void Mux::Connected() {
  ENSURE(!impl_->connected);
  const Impl::Scope scope(*impl_);
  impl_->Start();
}

Status Mux::Resume(const capsem::guest::v1::MuxResume& peer) {
  ENSURE(!impl_->connected);
  const Impl::Scope scope(*impl_);
  return impl_->Resume(peer);
}

void Mux::Disconnected() {
  impl_->connected = false;
  impl_->output_told = false;
  impl_->ping.reset();
  impl_->pong.reset();
  impl_->decoder.Reset();
}

bool Mux::connected() const { return impl_->connected; }

Status Mux::OnBytes(std::string_view bytes) {
  const Impl::Scope scope(*impl_);
  return impl_->OnBytes(bytes);
}

std::span<const std::string_view> Mux::PullPieces(size_t max) { return impl_->PullPieces(max); }

bool Mux::PullOutput(std::string& out, size_t max) {
  const auto pieces = impl_->PullPieces(max);
  for (const std::string_view piece : pieces) out += piece;
  return !pieces.empty();
}

}  // namespace capsem::wire
