#include "guest/guest_link.h"

#include <utility>

#include "base/log.h"
#include "guest/link_state.h"
#include "wire/frame.h"
#include "wire/limits.h"

namespace capsem::process {
namespace {

using capsem::guest::v1::GuestFrame;

// What is handed to the connection in one go. As soon as it does not take all of that, no more is
// pulled: what it buffers is a copy, and cannot be overtaken.
constexpr size_t kPumpBytes = wire::kVsockPacket;

Status AgainstRules(const Status& status) {
  return Annotate(status, "the guest broke the link's rules");
}

}  // namespace

struct GuestLink::Peer {
  Peer(Loop& loop, wire::HostHandshake machine) : handshake(std::move(machine)), limit(loop) {}
  wire::HostHandshake handshake;
  Timer limit;
  std::unique_ptr<ByteStream> stream;
};

GuestLink::GuestLink(Loop& loop, Events events)
    : GuestLink(loop, std::move(events), wire::LinkIdentity::Generate(), false) {
  mux_ = std::make_unique<wire::Mux>(wire::Mux::Side::kHost, MuxEvents());
}

GuestLink::GuestLink(Loop& loop, Events events, wire::LinkIdentity identity, bool established)
    : loop_(loop),
      events_(std::move(events)),
      identity_(std::move(identity)),
      established_(established),
      turn_end_(loop, [this] { Pump(); }),
      beat_(loop) {}

GuestLink::~GuestLink() = default;

wire::Mux::Events GuestLink::MuxEvents() {
  return {
      // The agent opens no channels: the host does, one per command.
      .on_open = [this](wire::ChannelId id, wire::ChannelKind,
                        std::string_view) { mux_->Reset(id); },
      .on_readable =
          [this](wire::ChannelId id) {
            if (id == wire::kControlChannel) return OnControlReadable();
            events_.on_readable(id);
          },
      .on_writable =
          [this](wire::ChannelId id) {
            if (id == wire::kControlChannel) return FlushControl();
            events_.on_writable(id);
          },
      .on_reset = [this](wire::ChannelId id) { events_.on_reset(id); },
      .on_output =
          // What several callers wrote meanwhile leaves in one write.
      [this] { turn_end_.Ask(); },
  };
}

void GuestLink::Adopt(UniqueFd fd) {
  if (broken_ || live_ != nullptr || peers_.size() >= wire::kMaxUnproven) {
    log::Warning("a connection of the guest was refused",
                 {{"live", live_ != nullptr}, {"unproven", peers_.size()}, {"broken", broken_}});
    return;
  }
  wire::HostHandshake handshake(identity_, established_, mux_->ResumeState());
  Peer& peer = *peers_.emplace_back(std::make_unique<Peer>(loop_, std::move(handshake)));
  peer.stream = std::make_unique<ByteStream>(
      loop_, std::move(fd),
      ByteStream::Events{
          .on_bytes = [this, &peer](std::string_view bytes) { OnPeerBytes(peer, bytes); },
          .on_end = [this, &peer](Status) { DropPeer(peer, Unavailable("it hung up")); },
      });
  peer.limit.Start(wire::kHelloTimeout, [this, &peer] {
    DropPeer(peer, DeadlineExceeded("no hello within {} s", wire::kHelloTimeout.count()));
  });
}

void GuestLink::OnPeerBytes(Peer& peer, std::string_view bytes) {
  const Status status = peer.handshake.OnBytes(bytes);
  const std::string output = peer.handshake.TakeOutput();
  if (!output.empty()) peer.stream->Write(output);
  if (!status.ok()) return DropPeer(peer, status);
  if (!peer.handshake.done()) return;
  if (live_ != nullptr) return DropPeer(peer, FailedPrecondition("the link has a live connection"));
  Promote(peer);
}

void GuestLink::DropPeer(Peer& peer, const Status& why) {
  log::Warning("a connection of the guest failed the handshake", {{"why", Describe(why)}});
  peers_.remove_if([&peer](const auto& other) { return other.get() == &peer; });
}

void GuestLink::Promote(Peer& peer) {
  const wire::HandshakeResult result = peer.handshake.result();
  const std::string rest = peer.handshake.TakeRest();
  protocol_ = result.protocol;
  // The stream goes on with the link's own events; the peer that held it goes.
  live_ = std::move(peer.stream);
  full_ = false;
  live_->SetHighWater(0);
  live_->SetEvents({
      .on_bytes = [this](std::string_view bytes) { OnBytes(bytes); },
      .on_drained =
          [this] {
            full_ = false;
            Pump();
          },
      .on_end = [this](Status why) { OnLiveEnd(why); },
  });
  // Destroyed later: its stream's callback is on the stack.
  loop_.Post([dead = std::make_shared<decltype(peers_)>(std::move(peers_))] {});
  peers_.clear();
  log::Debug("the link to the guest is up",
             {{"protocol", result.protocol}, {"agent", result.peer_build}});
  if (!std::exchange(established_, true) || !result.peer_resume) {
    mux_->Connected();
  } else if (const Status resumed = mux_->Resume(*result.peer_resume); !resumed.ok()) {
    return Break(AgainstRules(resumed));
  }
  if (!beat_.active()) Rest(false);
  const auto self = weak_.Get();
  events_.on_up();
  if (self && live_ != nullptr && !rest.empty()) OnBytes(rest);
}

void GuestLink::OnLiveEnd(const Status& why) {
  log::Debug("the connection to the guest is gone", {{"why", Describe(why)}});
  live_.reset();
  mux_->Disconnected();
}

void GuestLink::DropConnection() {
  if (live_ == nullptr) return;
  live_.reset();
  mux_->Disconnected();
}

void GuestLink::Rest(bool resting) {
  heartbeat_.Heard();
  if (resting) return beat_.Cancel();
  if (!broken_ && established_) beat_.StartRepeating(wire::kHeartbeat, [this] { OnBeat(); });
}

void GuestLink::OnBeat() {
  if (heartbeat_.Beat() == Heartbeat::Verdict::kAsk) return mux_->Ping(0);
  Break(Unavailable("the guest has not answered for {} s", wire::kHeartbeat.count()));
}

void GuestLink::OnBytes(std::string_view bytes) {
  heartbeat_.Heard();
  const auto self = weak_.Get();
  const Status status = mux_->OnBytes(bytes);
  if (self && !status.ok()) Break(AgainstRules(status));
}

void GuestLink::Break(Status why) {
  if (std::exchange(broken_, true)) return;
  beat_.Cancel();
  loop_.Post([dead = std::shared_ptr<ByteStream>(std::move(live_))] {});
  mux_->Disconnected();
  events_.on_broken(why);
}

void GuestLink::OnControlReadable() {
  while (true) {
    auto frame = wire::ParseFrame(mux_->Readable(wire::kControlChannel), wire::kMaxControlFrame);
    if (!frame.ok()) return Break(AgainstRules(frame.status()));
    if (!frame->has_value()) return;
    const std::string_view payload = (*frame)->payload;
    GuestFrame message;
    if ((*frame)->kind != wire::FrameKind::kMessage ||
        !message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
      return Break(AgainstRules(InvalidArgument("a malformed control frame")));
    }
    mux_->Consume(wire::kControlChannel, (*frame)->size);
    const auto self = weak_.Get();
    events_.on_control(message);
    if (!self || broken_) return;
  }
}

void GuestLink::SendControl(const capsem::guest::v1::HostFrame& frame) {
  wire::AppendFrame(control_out_, wire::FrameKind::kMessage, frame.SerializeAsString());
  FlushControl();
}

void GuestLink::FlushControl() {
  if (control_out_.empty()) return;
  control_out_.erase(0, mux_->Write(wire::kControlChannel, control_out_));
}

void GuestLink::Pump() {
  // Full is what Write says, for only then on_drained comes: a mark of our own may differ by a
  // byte, and a full connection of exactly that size would wait for ever.
  while (live_ != nullptr && !full_) {
    const auto pieces = mux_->PullPieces(kPumpBytes);
    if (pieces.empty()) return;
    full_ = !live_->Write(pieces);
  }
}

Status GuestLink::SaveTo(const std::string& path) const {
  if (up()) return FailedPrecondition("the link is up: unplug first");
  return WriteLinkState(path, {identity_, established_, control_out_, mux_->Save()});
}

StatusOr<std::unique_ptr<GuestLink>> GuestLink::RestoreFrom(Loop& loop, const std::string& path,
                                                            Events events) {
  LinkState state = TRY(ReadLinkState(path));
  std::unique_ptr<GuestLink> link(
      new GuestLink(loop, std::move(events), std::move(state.identity), state.established));
  link->control_out_ = std::move(state.control_out);
  link->mux_ = TRY(wire::Mux::Restore(wire::Mux::Side::kHost, state.mux, link->MuxEvents()));
  link->FlushControl();
  return link;
}

}  // namespace capsem::process
