#include "vsock/packet_buffer.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/planted.h"

namespace capsem::process {

Status PacketBuffer::Attach(const GuestMemory& memory, std::span<const Segment> segments) {
  header_.clear();
  payload_.clear();
  payload_size_ = 0;
  uint64_t header_left = kVsockHeaderSize;
  for (const Segment& segment : segments) {
    const uint64_t header_part = std::min<uint64_t>(segment.size, header_left);
    TRY(memory.Translate(segment.address, header_part, header_));
    header_left -= header_part;
    const uint64_t payload_part = segment.size - header_part;
    TRY(memory.Translate(segment.address + header_part, payload_part, payload_));
    payload_size_ += payload_part;
  }
  if (header_left > 0)
    return InvalidArgument("a packet buffer that lacks {} bytes of its header", header_left);
  return OkStatus();
}

VsockHeader PacketBuffer::ReadHeader() const {
  uint8_t bytes[kVsockHeaderSize];
  size_t done = 0;
  for (const iovec& piece : header_) {
    std::memcpy(bytes + done, piece.iov_base, piece.iov_len);
    done += piece.iov_len;
  }
  // The guest may change its bytes from now on, but not this copy.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return ParseVsockHeader(bytes);
}

void PacketBuffer::WriteHeader(const VsockHeader& header) const {
  const auto bytes = FormatVsockHeader(header);
  size_t done = 0;
  for (const iovec& piece : header_) {
    std::memcpy(piece.iov_base, bytes.data() + done, piece.iov_len);
    done += piece.iov_len;
  }
}

StatusOr<std::span<iovec>> PacketBuffer::Payload(uint64_t size) {
  if (PLANTED(1) && size > payload_size_ && !payload_.empty()) {
    // Planted 1: the length that the packet claims is believed.
    payload_.back().iov_len += size - payload_size_;
  } else if (size > payload_size_) {
    return InvalidArgument("a packet claims {} bytes of payload and has {}", size, payload_size_);
  }
  size_t count = 0;
  for (uint64_t left = size; left > 0 && count < payload_.size(); ++count) {
    iovec& piece = payload_[count];
    piece.iov_len = std::min<uint64_t>(piece.iov_len, left);
    left -= piece.iov_len;
  }
  return std::span(payload_.data(), count);
}

}  // namespace capsem::process
