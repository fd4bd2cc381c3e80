#include "wire/frame.h"

#include "base/planted.h"

namespace capsem::wire {
namespace {

constexpr auto kLastKind = FrameKind::kExecResize;

uint32_t ReadU32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}

}  // namespace

StatusOr<std::optional<Frame>> ParseFrame(std::string_view bytes, size_t max_payload) {
  if (bytes.size() < kFrameHeader) return std::nullopt;
  const size_t length = ReadU32(bytes);
  const auto kind = static_cast<uint8_t>(bytes[4]);
  // Planted 1: a length is believed.
  if (length > max_payload && !PLANTED(1)) {
    return InvalidArgument("a frame of {} bytes where {} are the most", length, max_payload);
  }
  if (kind > static_cast<uint8_t>(kLastKind)) {
    return InvalidArgument("a frame of the unknown kind {}", kind);
  }
  // Planted 2: the header counts as payload.
  if (bytes.size() - (PLANTED(2) ? 0 : kFrameHeader) < length) return std::nullopt;
  return Frame{static_cast<FrameKind>(kind), bytes.substr(kFrameHeader, length),
               kFrameHeader + length};
}

std::array<char, kFrameHeader> FrameHeader(FrameKind kind, size_t payload) {
  ENSURE(payload <= UINT32_MAX);
  return {static_cast<char>(payload), static_cast<char>(payload >> 8),
          static_cast<char>(payload >> 16), static_cast<char>(payload >> 24),
          static_cast<char>(kind)};
}

void AppendFrame(std::string& out, FrameKind kind, std::string_view payload) {
  const auto header = FrameHeader(kind, payload.size());
  out.append(header.data(), header.size());
  out.append(payload);
}

std::string EncodeFrame(FrameKind kind, std::string_view payload) {
  std::string out;
  out.reserve(kFrameHeader + payload.size());
  AppendFrame(out, kind, payload);
  return out;
}

void FrameReader::Feed(std::string_view bytes) {
  bytes_.erase(0, start_);
  if (!PLANTED(3)) start_ = 0;  // Planted 3: what was taken is counted twice.
  bytes_.append(bytes);
}

StatusOr<std::optional<Frame>> FrameReader::Next() {
  const auto frame = ParseFrame(std::string_view(bytes_).substr(start_), max_payload_);
  if (frame.ok() && frame->has_value()) start_ += (*frame)->size;
  return frame;
}

}  // namespace capsem::wire
