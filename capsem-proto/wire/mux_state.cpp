// A Mux as bytes, for link.state: {u32 version, u8 side, u32 highest own, u32 highest peer, u32
// count} and the channels, little-endian. A file may be damaged or come from an older build, so
// reading it checks every promise that the rest of the Mux relies on.
#include "wire/mux_impl.h"

namespace capsem::wire {
namespace {

constexpr uint32_t kStateVersion = 1;
enum Flags : uint8_t {
  kOpenSent = 1,
  kFinished = 2,
  kFinSent = 4,
  kFinAcked = 8,
  kFinReceived = 16
};
constexpr uint8_t kAllFlags = 31;

class StateWriter {
 public:
  void Number(uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i, value >>= 8) out_ += static_cast<char>(value);
  }
  void Bytes(std::string_view bytes) {
    Number(bytes.size(), 4);
    out_.append(bytes);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// After a read past the end everything is zero or empty, and ok() is false.
class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : rest_(bytes) {}
  uint64_t Number(size_t bytes) {
    const std::string_view taken = Take(bytes);
    uint64_t value = 0;
    for (size_t i = taken.size(); i > 0; --i) {
      value = value << 8 | static_cast<uint8_t>(taken[i - 1]);
    }
    return value;
  }
  std::string_view Bytes(size_t most) {
    const size_t size = Number(4);
    if (size > most) ok_ = false;
    return Take(size);
  }
  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && rest_.empty(); }

 private:
  std::string_view Take(size_t bytes) {
    ok_ = ok_ && bytes <= rest_.size();
    if (!ok_) return {};
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  std::string_view rest_;
  bool ok_ = true;
};

void WriteChannel(StateWriter& writer, const MuxChannel& channel) {
  writer.Number(channel.id, 4);
  writer.Number(static_cast<uint8_t>(channel.kind), 1);
  writer.Number((channel.open_sent ? kOpenSent : 0) | (channel.finished ? kFinished : 0) |
                    (channel.fin_sent ? kFinSent : 0) | (channel.fin_acked ? kFinAcked : 0) |
                    (channel.fin_received ? kFinReceived : 0),
                1);
  writer.Bytes(channel.metadata);
  writer.Number(channel.acked, 8);
  writer.Number(channel.sent, 8);
  writer.Bytes(channel.out.All());
  writer.Number(channel.consumed, 8);
  writer.Bytes(channel.in.view());
}

// Fills a channel whose id and kind have been read.
bool ReadChannel(StateReader& reader, MuxChannel& channel) {
  const uint64_t flags = reader.Number(1);
  channel.open_sent = (flags & kOpenSent) != 0;
  channel.finished = (flags & kFinished) != 0;
  channel.fin_sent = (flags & kFinSent) != 0;
  channel.fin_acked = (flags & kFinAcked) != 0;
  channel.fin_received = (flags & kFinReceived) != 0;
  channel.metadata = reader.Bytes(kMaxMetadata);
  channel.acked = reader.Number(8);
  channel.sent = reader.Number(8);
  channel.out.Append(reader.Bytes(kChannelWindow));
  channel.consumed = reader.Number(8);
  channel.in.Append(reader.Bytes(kChannelWindow));
  // The last ACK may not have arrived: Start has it sent again.
  channel.told = channel.consumed_end();
  // Offsets that no channel reaches in its life: sums of them cannot overflow.
  constexpr uint64_t kFar = uint64_t{1} << 62;
  return reader.ok() && (flags & ~uint64_t{kAllFlags}) == 0 && channel.acked < kFar &&
         channel.consumed < kFar && channel.sent >= channel.acked &&
         channel.sent <= channel.written() && (channel.finished || !channel.fin_sent) &&
         (!channel.fin_sent || channel.sent == channel.written()) &&
         (!channel.fin_acked || (channel.fin_sent && channel.out.empty())) &&
         (channel.open_sent || channel.sent_end() + channel.received_end() == 0);
}

}  // namespace

std::string Mux::Save() const {
  ENSURE(!impl_->connected);
  StateWriter writer;
  writer.Number(kStateVersion, 4);
  writer.Number(static_cast<uint8_t>(impl_->side), 1);
  writer.Number(impl_->highest_own, 4);
  writer.Number(impl_->highest_peer, 4);
  writer.Number(impl_->channels.size(), 4);
  for (const auto& [id, channel] : impl_->channels) WriteChannel(writer, channel);
  return writer.Take();
}

// Control comes first, and exists already; the others follow in order of their ids.
MuxChannel* Mux::Impl::LoadChannel(ChannelId id, uint64_t kind, ChannelId previous) {
  if (id == kControlChannel) {
    return previous == 0 && kind == static_cast<uint8_t>(ChannelKind::kControl) ? Find(id)
                                                                                : nullptr;
  }
  const bool opened = id <= (IsOwn(id) ? highest_own : highest_peer);
  const bool legal = id > previous && opened && IsOpened(kind);
  return legal && CountOf(id) < kMaxChannels ? &Add(id, static_cast<ChannelKind>(kind)) : nullptr;
}

bool Mux::Impl::Load(std::string_view state) {
  StateReader reader(state);
  if (reader.Number(4) != kStateVersion || reader.Number(1) != static_cast<uint8_t>(side)) {
    return false;
  }
  highest_own = static_cast<ChannelId>(reader.Number(4));
  highest_peer = static_cast<ChannelId>(reader.Number(4));
  if ((highest_own != 0 && !IsOwn(highest_own)) || (highest_peer != 0 && IsOwn(highest_peer))) {
    return false;
  }
  const uint64_t count = reader.Number(4);
  ChannelId previous = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const auto id = static_cast<ChannelId>(reader.Number(4));
    const uint64_t kind = reader.Number(1);
    if (!reader.ok() || (id == kControlChannel) != (i == 0)) return false;
    MuxChannel* channel = LoadChannel(id, kind, previous);
    if (channel == nullptr) return false;
    previous = id;
    bool legal = false;
    Outgoing(*channel, [&] { Incoming(*channel, [&] { legal = ReadChannel(reader, *channel); }); });
    const bool announced = channel->open_sent || (id != kControlChannel && IsOwn(id));
    const bool endless = !channel->finished && !channel->fin_received;
    if (!legal || !announced || (id == kControlChannel && !endless)) return false;
    if (channel->Ended()) --CountOf(id), channel->counted = false;
  }
  return reader.AtEnd() && count > 0 && pool_out <= kInFlightPool && unconsumed <= kMaxInFlight;
}

StatusOr<std::unique_ptr<Mux>> Mux::Restore(Side side, std::string_view state, Events events) {
  auto mux = std::make_unique<Mux>(side, std::move(events));
  if (!mux->impl_->Load(state)) return DataLoss("the saved state of the link cannot be read");
  return mux;
}

}  // namespace capsem::wire
