#include "wire/frame.h"

namespace capsem::wire {
namespace {

constexpr auto kLastKind = FrameKind::kExecExit;

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
  if (length > max_payload) {
    return InvalidArgument("a frame of {} bytes where {} are the most", length, max_payload);
  }
  if (kind > static_cast<uint8_t>(kLastKind)) {
    return InvalidArgument("a frame of the unknown kind {}", kind);
  }
  if (bytes.size() - kFrameHeader < length) return std::nullopt;
  return Frame{static_cast<FrameKind>(kind), bytes.substr(kFrameHeader, length),
               kFrameHeader + length};
}

void AppendFrame(std::string& out, FrameKind kind, std::string_view payload) {
  ENSURE(payload.size() <= UINT32_MAX);
  const auto length = static_cast<uint32_t>(payload.size());
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(length >> shift);
  out += static_cast<char>(kind);
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
  start_ = 0;
  bytes_.append(bytes);
}

StatusOr<std::optional<Frame>> FrameReader::Next() {
  const auto frame = ParseFrame(std::string_view(bytes_).substr(start_), max_payload_);
  if (frame.ok() && frame->has_value()) start_ += (*frame)->size;
  return frame;
}

}  // namespace capsem::wire
