#include "host_link.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/log.h"
#include "wire/limits.h"

namespace capsem::agent {
namespace {

// No event tells that the host has begun to listen, or has let go of the connection before. The
// first tries come soon, for a re-plug is over in milliseconds; then the host is busy or broken.
constexpr std::chrono::milliseconds kFirstRedial{4};
constexpr std::chrono::milliseconds kSlowestRedial{500};
// A packet of vsock for each system call, none of them small. As soon as the kernel does not take
// all of one, no more is pulled: what the stream buffers is a copy, and cannot be overtaken.
constexpr size_t kPumpChunk = wire::kVsockPacket;
// For the host's log only.
constexpr const char* kBuild = "capsem-agent " CAPSEM_VERSION;

}  // namespace

HostLink::HostLink(Loop& loop, wire::Mux& mux, Dial dial, Events events)
    : loop_(loop),
      mux_(mux),
      dial_(std::move(dial)),
      events_(std::move(events)),
      turn_end_(loop, [this] { Pump(); }),
      redial_(loop),
      redial_delay_(kFirstRedial) {}

void HostLink::OnDevice() {
  if (stream_ || dialing_.valid()) return;
  redial_.Cancel();
  auto dialing = dial_();
  if (!dialing.ok()) return DialLater(dialing.status());
  dialing_ = *std::move(dialing);
  dial_watch_ = std::make_unique<FdWatch>(loop_, dialing_.get(), [this](int) { OnConnected(); });
  dial_watch_->Want(FdWatch::kWritable);
}

void HostLink::DialLater(const Status& why) {
  if (why.code() == StatusCode::kFailedPrecondition) return;  // OnDevice will come
  redial_.Start(redial_delay_, [this] { OnDevice(); });
  redial_delay_ = std::min(2 * redial_delay_, kSlowestRedial);
}

void HostLink::OnConnected() {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(dialing_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  dial_watch_.reset();
  UniqueFd connected = std::move(dialing_);
  if (error != 0) return DialLater(ErrnoStatus(error, "connect to the host"));
  handshake_.emplace(identity_, mux_.ResumeState(), kBuild);
  stream_ = std::make_unique<ByteStream>(
      loop_, std::move(connected),
      ByteStream::Events{[this](std::string_view bytes) { OnBytes(bytes); },
                         [this] { OnDrained(); }, [this](Status why) { OnEnd(why); }});
  stream_->SetHighWater(0);
  stream_->Write(handshake_->TakeOutput());
}

void HostLink::OnBytes(std::string_view bytes) {
  if (!handshake_) {
    const Status understood = mux_.OnBytes(bytes);
    if (!understood.ok()) events_.on_lost_for_good(understood);
    return;
  }
  const Status proven = OnHandshakeBytes(bytes);
  if (!proven.ok()) OnEnd(proven);
}

Status HostLink::OnHandshakeBytes(std::string_view bytes) {
  TRY(handshake_->OnBytes(bytes));
  // Kept before the end, too: a host that has heard the proof hands the secret over no more.
  identity_ = handshake_->identity();
  stream_->Write(handshake_->TakeOutput());
  if (!handshake_->done()) return OkStatus();
  const wire::HandshakeResult result = handshake_->result();
  const std::string rest = handshake_->TakeRest();
  handshake_.reset();
  redial_delay_ = kFirstRedial;
  Status agreed = OkStatus();
  if (result.peer_resume)
    agreed = mux_.Resume(*result.peer_resume);
  else
    mux_.Connected();
  if (agreed.ok()) agreed = mux_.OnBytes(rest);
  if (!agreed.ok()) events_.on_lost_for_good(agreed);
  PumpSoon();
  return OkStatus();
}

void HostLink::Pump() {
  while (stream_ && mux_.connected() && !congested_) {
    const auto pieces = mux_.PullPieces(kPumpChunk);
    if (pieces.empty()) return;
    congested_ = !stream_->Write(pieces);
  }
}

void HostLink::OnDrained() {
  congested_ = false;
  Pump();
}

void HostLink::OnEnd(const Status& why) {
  log::Info("the link is cut", {{"why", why}});
  stream_.reset();
  congested_ = false;
  handshake_.reset();
  mux_.Disconnected();
  DialLater(Unavailable("the host went away"));
}

}  // namespace capsem::agent
