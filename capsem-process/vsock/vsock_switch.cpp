#include "vsock/vsock_switch.h"

#include <algorithm>
#include <utility>

namespace capsem::process {

VsockSwitch::VsockSwitch(Loop& loop, Config config)
    : loop_(loop), config_(std::move(config)), returned_timer_(loop) {}

void VsockSwitch::Start(const Rings& rings) {
  if (broken_) return;
  rings_ = rings;
  starved_ = false;
  // Both rings may have been filled before we were told of them.
  Turn();
}

void VsockSwitch::Stop() {
  // The rings may go on elsewhere: nothing stays owed.
  if (running()) TellReturned();
  rings_ = {};
  for (auto bridge = bridges_.begin(); bridge != bridges_.end();) bridge = Settle(bridge);
}

void VsockSwitch::DropConnections() {
  bridges_.clear();
  resets_.clear();
}

void VsockSwitch::OnKick(Ring ring) {
  if (ring == Ring::kToGuest) starved_ = false;
  Turn();
}

void VsockSwitch::Turn() {
  if (!running()) return;
  const StatusOr<bool> more = TakeFromGuest();
  Finish(more.status());
  // With its answers waiting for buffers, the guest's kick for those brings us back.
  if (running() && more.ok() && *more && !starved_) PostTurn();
}

void VsockSwitch::PostTurn() {
  if (std::exchange(turn_posted_, true)) return;
  loop_.Post([self = weak_.Get()] {
    if (!self) return;
    self->turn_posted_ = false;
    self->Turn();
  });
}

void VsockSwitch::OnStream(Key key, int events) {
  const auto found = bridges_.find(key);
  if (found == bridges_.end()) return;
  Bridge& bridge = found->second;
  if ((events & FdWatch::kWritable) != 0) {
    const StatusOr<size_t> sent = bridge.stream.Flush();
    sent.ok() ? bridge.connection.OnForwarded(*sent) : bridge.connection.Abort();
  }
  Status status;
  if ((events & FdWatch::kReadable) != 0 && running()) status = Pump(bridge);
  Finish(std::move(status));
}

void VsockSwitch::Finish(Status status) {
  if (running() && status.ok()) status = Answer();
  if (!status.ok()) return Break(std::move(status));
  for (auto bridge = bridges_.begin(); bridge != bridges_.end();) bridge = Settle(bridge);
}

Status VsockSwitch::Answer() {
  TRY(SendOwed());
  const bool interrupted = TRY(rings_.to_guest->Publish());
  if (interrupted) config_.interrupt(Ring::kToGuest);
  if (TRY(rings_.from_guest->Publish())) returned_owed_ = true;
  if (returned_owed_ && returned_ >= kReturnedAtOnce) TellReturned();
  // Linux looks at both rings at either interrupt: an own one can wait on.
  if (returned_owed_ && (interrupted || !returned_timer_.active()))
    returned_timer_.Start(kReturnedLater, [this] { TellReturned(); });
  return OkStatus();
}

void VsockSwitch::TellReturned() {
  returned_timer_.Cancel();
  returned_ = 0;
  if (std::exchange(returned_owed_, false)) config_.interrupt(Ring::kFromGuest);
}

void VsockSwitch::Break(Status status) {
  if (std::exchange(broken_, true)) return;
  Stop();
  config_.on_broken(std::move(status));
}

VsockSwitch::Bridges::iterator VsockSwitch::Settle(Bridges::iterator bridge) {
  auto& [connection, stream] = bridge->second;
  if (connection.state() == VsockConnection::State::kClosed) return bridges_.erase(bridge);
  if (connection.guest_deaf()) stream.FinishReading();
  if (connection.guest_finished() && !stream.keeps()) stream.FinishWriting();
  const bool reading = running() && !starved_ && !connection.owes() && connection.window() > 0;
  stream.Want((reading ? FdWatch::kReadable : 0) | (stream.keeps() ? FdWatch::kWritable : 0));
  return ++bridge;
}

// ---- from the guest

StatusOr<bool> VsockSwitch::TakeFromGuest() {
  for (size_t count = 0; count < kPacketsPerTurn; ++count) {
    if (resets_.size() >= kMaxResets) return true;
    if (!TRY(rings_.from_guest->Pop(chain_))) {
      if (!TRY(rings_.from_guest->AskForKick())) return false;
      continue;
    }
    TRY(OnChain());
    // Only now: once its buffer is in the used ring, the guest may use it for something else.
    TRY(rings_.from_guest->Push(chain_.head, 0));
    ++returned_;
  }
  return true;
}

Status VsockSwitch::OnChain() {
  TRY(buffer_.Attach(*rings_.memory, chain_.readable));
  const VsockHeader packet = buffer_.ReadHeader();
  const std::span<iovec> payload = TRY(buffer_.Payload(packet.length));
  if (packet.type != kVsockStreamType || packet.source_cid != config_.guest_cid ||
      packet.destination_cid != kHostCid) {
    Refuse(packet);
    return OkStatus();
  }
  const auto found = bridges_.find(Key{packet.destination_port, packet.source_port});
  if (found == bridges_.end()) {
    packet.op == VsockOp::kRequest ? Accept(packet) : Refuse(packet);
    return OkStatus();
  }
  Bridge& bridge = found->second;
  if (bridge.connection.OnPacket(packet) > 0) Deliver(bridge, payload);
  // At once, as the next packet may ask for the same ports again.
  if (bridge.connection.state() == VsockConnection::State::kClosed) bridges_.erase(found);
  return OkStatus();
}

void VsockSwitch::Accept(const VsockHeader& request) {
  if (bridges_.size() >= kMaxConnections) return Refuse(request);
  const Key key{request.destination_port, request.source_port};
  UniqueFd fd = config_.accept(key.host_port, key.guest_port);
  if (!fd.valid()) return Refuse(request);
  bridges_.emplace(std::piecewise_construct, std::forward_as_tuple(key),
                   std::forward_as_tuple(request, loop_, std::move(fd),
                                         [this, key](int events) { OnStream(key, events); }));
}

void VsockSwitch::Refuse(const VsockHeader& packet) {
  // An RST for an RST could go on for ever.
  if (packet.op == VsockOp::kReset) return;
  resets_.push_back({.source_cid = packet.destination_cid,
                     .destination_cid = packet.source_cid,
                     .source_port = packet.destination_port,
                     .destination_port = packet.source_port,
                     .type = packet.type,
                     .op = VsockOp::kReset});
}

void VsockSwitch::Deliver(Bridge& bridge, std::span<iovec> payload) {
  const StatusOr<size_t> sent = bridge.stream.Write(payload);
  sent.ok() ? bridge.connection.OnForwarded(*sent) : bridge.connection.Abort();
}

// ---- to the guest

StatusOr<bool> VsockSwitch::TakeGuestBuffer() {
  if (!TRY(rings_.to_guest->Pop(chain_))) {
    // It may have come between the look and the wish; if not, nobody asks again before the kick.
    starved_ = !TRY(rings_.to_guest->AskForKick());
    if (starved_ || !TRY(rings_.to_guest->Pop(chain_))) return false;
  }
  TRY(buffer_.Attach(*rings_.memory, chain_.writable));
  return true;
}

StatusOr<bool> VsockSwitch::SendHeader(const VsockHeader& header) {
  if (!TRY(TakeGuestBuffer())) return false;
  buffer_.WriteHeader(header);
  TRY(rings_.to_guest->Push(chain_.head, kVsockHeaderSize));
  return true;
}

Status VsockSwitch::SendOwed() {
  for (; !starved_ && !resets_.empty(); resets_.pop_front()) {
    if (!TRY(SendHeader(resets_.front()))) return OkStatus();
  }
  for (auto& [key, bridge] : bridges_) {
    while (!starved_ && bridge.connection.owes()) {
      if (!TRY(TakeGuestBuffer())) return OkStatus();
      buffer_.WriteHeader(*bridge.connection.TakeOwed());
      TRY(rings_.to_guest->Push(chain_.head, kVsockHeaderSize));
    }
  }
  return OkStatus();
}

Status VsockSwitch::Pump(Bridge& bridge) {
  for (size_t count = 0; count < kPacketsPerTurn; ++count) {
    const uint32_t window = bridge.connection.window();
    if (window == 0 || bridge.connection.owes() || !TRY(TakeGuestBuffer())) return OkStatus();
    const uint64_t size = std::min<uint64_t>(window, buffer_.payload_size());
    if (size == 0) return InvalidArgument("a buffer of the guest that holds no payload");
    const StatusOr<VsockStream::ReadResult> result = bridge.stream.Read(TRY(buffer_.Payload(size)));
    if (!result.ok() || result->bytes == 0) {
      rings_.to_guest->Unpop();
      if (!result.ok()) bridge.connection.Abort();
      if (result.ok() && result->end) bridge.connection.OnHostFinished();
      return OkStatus();
    }
    buffer_.WriteHeader(bridge.connection.DataHeader(static_cast<uint32_t>(result->bytes)));
    TRY(rings_.to_guest->Push(chain_.head,
                              static_cast<uint32_t>(kVsockHeaderSize + result->bytes)));
    // Less than there was room for: the socket is empty, and its watch will say when it is not.
    if (result->bytes < size) return OkStatus();
  }
  return OkStatus();
}

}  // namespace capsem::process
