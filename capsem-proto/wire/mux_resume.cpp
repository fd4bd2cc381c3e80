// Going on after a cut: each side says what it has, checks what the other has, and sends from the
// offsets that the other wants. The peer's words are checked whole before anything is changed.
#include <algorithm>

#include "wire/mux_impl.h"

#include "base/planted.h"

namespace capsem::wire {

using capsem::guest::v1::MuxResume;

MuxResume Mux::Impl::ResumeState() const {
  MuxResume state;
  state.set_highest_own(highest_own);
  state.set_highest_peer(highest_peer);
  for (const auto& [id, channel] : channels) {
    MuxResume::Channel& said = *state.add_channels();
    said.set_id(id);
    said.set_kind(static_cast<uint32_t>(channel.kind));
    said.set_received(channel.received());
    said.set_fin_received(channel.fin_received);
  }
  return state;
}

Status Mux::Impl::CheckResume(const MuxResume& peer) const {
  if (peer.highest_peer() > highest_own || peer.highest_own() < highest_peer) {
    return InvalidArgument(
        "the peer knows channels that were never opened, or has forgotten its own");
  }
  ChannelId last = 0;
  for (const MuxResume::Channel& said : peer.channels()) {
    const ChannelId id = said.id();
    const bool in_order = (id == kControlChannel && &said == &peer.channels(0)) || id > last;
    last = id;
    const ChannelId highest = IsOwn(id) ? peer.highest_peer() : peer.highest_own();
    if (!in_order || (id != kControlChannel && id > highest)) {
      return InvalidArgument("the peer lists channel {}, which cannot be", id);
    }
    const auto found = channels.find(id);
    if (found == channels.end()) continue;
    const MuxChannel& channel = found->second;
    const uint64_t wanted = said.received() + (said.fin_received() ? 1 : 0);
    // Planted 3: the peer may have more than was sent.
    if (PLANTED(3)) continue;
    if (said.kind() != static_cast<uint32_t>(channel.kind) || said.received() > channel.sent ||
        wanted < channel.acked_end() || wanted > channel.sent_end() ||
        (said.fin_received() && said.received() != channel.written())) {
      return InvalidArgument("channel {}: the peer wants byte {}, which is outside of [{}, {}]", id,
                             said.received(), channel.acked_end(), channel.sent_end());
    }
  }
  for (const auto& [id, channel] : channels) {
    if (id == kControlChannel || !IsOwn(id)) continue;
    const bool heard = id <= peer.highest_peer();
    if (heard ? !channel.open_sent : channel.acked_end() > 0) {
      return InvalidArgument("the peer {} channel {}", heard ? "cannot know" : "has forgotten", id);
    }
  }
  const bool has_control = peer.channels_size() > 0 && peer.channels(0).id() == kControlChannel;
  if (!has_control) return InvalidArgument("the peer has no control channel");
  return OkStatus();
}

Status Mux::Impl::Resume(const MuxResume& peer) {
  TRY(Status(failed));
  failed = CheckResume(peer);
  TRY(Status(failed));

  std::map<ChannelId, const MuxResume::Channel*> wanted;
  for (const MuxResume::Channel& said : peer.channels()) wanted[said.id()] = &said;
  std::vector<ChannelId> lost;
  for (auto& [id, channel] : channels) {
    const auto said = wanted.find(id);
    if (said != wanted.end()) {
      channel.sent = said->second->received();
      channel.fin_sent = said->second->fin_received();
    } else if (IsOwn(id) && id > peer.highest_peer()) {
      channel.open_sent = false;
      channel.sent = 0;
      channel.fin_sent = false;
    } else {
      lost.push_back(id);
    }
  }
  // An own channel that was reset before the peer heard of it: there is nothing to say.
  std::erase_if(resets, [&](ChannelId id) {
    const bool unknown = IsOwn(id) && id > peer.highest_peer();
    if (unknown) --CountOf(id);
    return unknown;
  });
  Start();
  for (const ChannelId id : lost) {
    if (orphaned) break;
    MuxChannel* channel = Find(id);
    if (channel == nullptr) continue;
    // The peer forgets a channel when it has everything, is told that we have everything, and has
    // told us: only its last word was lost. Anything else was a reset.
    const bool over = channel->in_finished() && channel->fin_sent;
    Forget(*channel);
    if (!over) events.on_reset(id);
  }
  return OkStatus();
}

// Plans what is to be sent from the channels as they are: after a cut what was planned is void.
void Mux::Impl::Start() {
  connected = true;
  opens.clear();
  turns.clear();
  acks_due.clear();
  acks_later.clear();
  for (auto& [id, channel] : channels) {
    channel.in_turn = false;
    TakeTurn(channel);
    if (!channel.open_sent) opens.push_back(id);
    // The last ACK may have been lost.
    channel.ack = MuxChannel::AckState::kNone;
    if (channel.consumed_end() == 0) continue;
    channel.ack = MuxChannel::AckState::kDue;
    acks_due.push_back(id);
  }
}

}  // namespace capsem::wire
