#include "wire/mux_codec.h"

#include <algorithm>

#include "wire/limits.h"
#include "wire/mux.h"

namespace capsem::wire {
namespace {

uint64_t ReadNumber(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}

void AppendLittleEndian(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i, value >>= 8) out += static_cast<char>(value);
}

// Payload of a frame whose payload is a number.
size_t NumberSize(MuxType type) { return type == MuxType::kReset ? 4 : 8; }

// Moves bytes over until `into` has `size` of them; says whether it has.
bool Gather(std::string& into, std::string_view& bytes, size_t size) {
  const size_t taken = std::min(size - into.size(), bytes.size());
  into.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  return into.size() == size;
}

bool LengthIsLegal(MuxType type, size_t length) {
  switch (type) {
    case MuxType::kOpen: return length <= kMaxMetadata;
    case MuxType::kData: return length > 0 && length <= kMaxMuxPayload;
    case MuxType::kFin: return length == 0;
    default: return length == NumberSize(type);
  }
}

}  // namespace

uint64_t MuxFrame::Number() const { return ReadNumber(payload); }

StatusOr<MuxDecoder::Header> MuxDecoder::ParseHeader(std::string_view bytes) {
  const uint64_t type = ReadNumber(bytes.substr(4, 1));
  if (type < static_cast<uint8_t>(MuxType::kOpen) || type > static_cast<uint8_t>(MuxType::kPong)) {
    return InvalidArgument("a multiplexer frame of the unknown type {}", type);
  }
  const Header header{static_cast<MuxType>(type), static_cast<uint8_t>(bytes[5]),
                      static_cast<uint32_t>(ReadNumber(bytes.substr(0, 4))),
                      static_cast<uint32_t>(ReadNumber(bytes.substr(8, 4)))};
  if (!LengthIsLegal(header.type, header.length)) {
    return InvalidArgument("a multiplexer frame of type {} with {} bytes", type, header.length);
  }
  const bool opens = header.type == MuxType::kOpen;
  if (ReadNumber(bytes.substr(6, 2)) != 0 || (!opens && header.kind != 0) ||
      (opens && !IsOpened(header.kind))) {
    return InvalidArgument("a multiplexer frame of type {} with unknown flags", type);
  }
  const bool of_link = header.type == MuxType::kPing || header.type == MuxType::kPong;
  const bool data_or_ack = header.type == MuxType::kData || header.type == MuxType::kAck;
  if (header.channel == kControlChannel ? !of_link && !data_or_ack : of_link) {
    return InvalidArgument("a multiplexer frame of type {} on channel {}", type, header.channel);
  }
  return header;
}

StatusOr<std::optional<MuxFrame>> MuxDecoder::Next(std::string_view& bytes) {
  if (!header_) {
    if (!Gather(head_, bytes, kMuxHeader)) return std::nullopt;
    header_ = TRY(ParseHeader(head_));
    head_.clear();
    payload_.clear();
    if (header_->type == MuxType::kData) data_left_ = header_->length;
  }
  MuxFrame frame{header_->type, header_->kind, header_->channel, {}};
  if (frame.type == MuxType::kData) {
    if (bytes.empty()) return std::nullopt;
    frame.payload = bytes.substr(0, data_left_);
    bytes.remove_prefix(frame.payload.size());
    data_left_ -= frame.payload.size();
    if (data_left_ == 0) header_.reset();
    return frame;
  }
  if (!Gather(payload_, bytes, header_->length)) return std::nullopt;
  header_.reset();
  frame.payload = payload_;
  return frame;
}

void MuxDecoder::Reset() {
  head_.clear();
  header_.reset();
  data_left_ = 0;
}

void AppendMuxHeader(std::string& out, MuxType type, uint8_t kind, uint32_t channel,
                     size_t length) {
  AppendLittleEndian(out, channel, 4);
  out += static_cast<char>(type);
  out += static_cast<char>(kind);
  AppendLittleEndian(out, 0, 2);
  AppendLittleEndian(out, length, 4);
}

void AppendMuxNumber(std::string& out, MuxType type, uint32_t channel, uint64_t number) {
  AppendMuxHeader(out, type, 0, channel, NumberSize(type));
  AppendLittleEndian(out, number, NumberSize(type));
}

}  // namespace capsem::wire
