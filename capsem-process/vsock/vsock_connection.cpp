#include "vsock/vsock_connection.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace capsem::process {

VsockConnection::VsockConnection(const VsockHeader& request)
    : reply_{.source_cid = request.destination_cid,
             .destination_cid = request.source_cid,
             .source_port = request.destination_port,
             .destination_port = request.source_port} {
  LearnCredit(request);
}

// The one place that changes the state; what comes too late changes nothing.
void VsockConnection::To(State next) {
  if (state_ == State::kClosed) return;
  if (state_ == State::kEnding && next != State::kClosed) return;
  state_ = next;
}

uint32_t VsockConnection::OnPacket(const VsockHeader& packet) {
  if (state_ == State::kEnding || state_ == State::kClosed) {
    if (packet.op == VsockOp::kReset) To(State::kClosed);
    return 0;
  }
  LearnCredit(packet);
  if (state_ == State::kEnding) return 0;
  switch (packet.op) {
    case VsockOp::kData: return OnData(packet);
    case VsockOp::kShutdown: OnShutdown(packet.flags); return 0;
    case VsockOp::kReset: To(State::kClosed); return 0;
    case VsockOp::kCreditUpdate: return 0;
    case VsockOp::kCreditRequest: owes_credit_ = true; return 0;
    // A second REQUEST, a RESPONSE to nothing that we asked, or no operation of the standard.
    default: Abort(); return 0;
  }
}

void VsockConnection::LearnCredit(const VsockHeader& packet) {
  // It cannot have taken what was never sent; the counts wrap, so their distances are compared.
  if (packet.forwarded - guest_forwarded_ > sent_ - guest_forwarded_) return Abort();
  guest_buffer_size_ = packet.buffer_size;
  guest_forwarded_ = packet.forwarded;
}

uint32_t VsockConnection::OnData(const VsockHeader& packet) {
  const uint32_t unforwarded = received_ - forwarded_;
  if (guest_finished() || packet.length > kBufferSize - unforwarded) {
    Abort();
    return 0;
  }
  received_ += packet.length;
  return packet.length;
}

void VsockConnection::OnShutdown(uint32_t flags) {
  if ((flags & kShutdownReceive) != 0) {
    guest_deaf_ = true;
    OnHostFinished();
    owes_shutdown_ = false;
  }
  if ((flags & kShutdownSend) != 0) {
    if (state_ == State::kOpen) To(State::kGuestFinished);
    if (state_ == State::kHostFinished) To(State::kDraining);
  }
  EndWhenDrained();
}

void VsockConnection::OnHostFinished() {
  if (state_ != State::kOpen && state_ != State::kGuestFinished) return;
  owes_shutdown_ = true;
  To(state_ == State::kOpen ? State::kHostFinished : State::kDraining);
  EndWhenDrained();
}

void VsockConnection::OnForwarded(uint32_t bytes) {
  forwarded_ += bytes;
  if (!guest_finished() && OverCreditThreshold()) owes_credit_ = true;
  EndWhenDrained();
}

void VsockConnection::EndWhenDrained() {
  if (state_ == State::kDraining && forwarded_ == received_) To(State::kEnding);
}

// Half of what the guest believes it may have on its way. Its belief is capped by its own buffer:
// with half of ours alone, a Linux guest with the smaller buffer stops for good.
bool VsockConnection::OverCreditThreshold() const {
  const uint32_t window = std::min(kBufferSize, guest_buffer_size_);
  return forwarded_ - forwarded_told_ >= window / 2 && forwarded_ != forwarded_told_;
}

void VsockConnection::Abort() {
  // Nothing is left to say but the RST.
  owes_response_ = owes_shutdown_ = owes_credit_ = false;
  To(State::kEnding);
}

bool VsockConnection::guest_finished() const {
  return state_ != State::kOpen && state_ != State::kHostFinished;
}

uint32_t VsockConnection::window() const {
  if (state_ != State::kOpen && state_ != State::kGuestFinished) return 0;
  const uint32_t on_the_way = sent_ - guest_forwarded_;
  // A guest may shrink its buffer below what is on its way to it.
  return guest_buffer_size_ > on_the_way ? guest_buffer_size_ - on_the_way : 0;
}

VsockHeader VsockConnection::Header(VsockOp op, uint32_t flags) {
  VsockHeader header = reply_;
  header.op = op;
  header.flags = flags;
  header.buffer_size = kBufferSize;
  header.forwarded = forwarded_told_ = forwarded_;
  // Every header carries the credit.
  owes_credit_ = false;
  return header;
}

VsockHeader VsockConnection::DataHeader(uint32_t size) {
  ENSURE(size <= window());
  VsockHeader header = Header(VsockOp::kData, 0);
  header.length = size;
  sent_ += size;
  return header;
}

bool VsockConnection::owes() const {
  if (state_ == State::kClosed) return false;
  return state_ == State::kEnding || owes_response_ || owes_shutdown_ || owes_credit_;
}

std::optional<VsockHeader> VsockConnection::TakeOwed() {
  if (!owes()) return std::nullopt;
  if (std::exchange(owes_response_, false)) return Header(VsockOp::kResponse, 0);
  if (std::exchange(owes_shutdown_, false)) return Header(VsockOp::kShutdown, kShutdownSend);
  if (state_ != State::kEnding) return Header(VsockOp::kCreditUpdate, 0);
  To(State::kClosed);
  return Header(VsockOp::kReset, 0);
}

}  // namespace capsem::process
