// Fuzz target (meson -Dfuzz=true): a host's Mux between a hostile peer and a restless layer above.
// Each input is a list of acts. What the Mux sends is read by a shadow of the peer, which holds it
// to the protocol; nothing may grow beyond its bounds.
#include "wire/mux.h"

#include <map>
#include <utility>

#include "wire/limits.h"
#include "wire/mux_codec.h"
#include "wire/testing/fuzz_input.h"

using namespace capsem;
using namespace capsem::wire;
using capsem::guest::v1::MuxResume;

namespace {

constexpr ChannelId kFewChannels = 16;
constexpr size_t kMostSaved =
    2 * kMaxInFlight + 2 * kChannelWindow + 2 * kMaxChannels * (64 + kMaxMetadata);

class Act {
 public:
  explicit Act(FuzzInput& input) : input_(input) {
    shadow_[kControlChannel];
    mux_ = std::make_unique<Mux>(Mux::Side::kHost, MakeEvents());
    mux_->Connected();
  }
  void Once();

 private:
  // What a peer that keeps to the rules knows of a channel.
  struct Shadow {
    uint64_t received = 0;
    bool fin = false;
  };

  Mux::Events MakeEvents();
  ChannelId AnyChannel() { return input_.Byte() % kFewChannels; }
  void Say(std::string_view bytes);
  void SayFrame();
  void Pull(size_t most);
  void Hear(const MuxFrame& frame);
  void Cut(bool honest);
  MuxResume AnyResume();
  MuxResume HonestResume() const;
  void Check();

  FuzzInput& input_;
  std::unique_ptr<Mux> mux_;
  bool failed_ = false;
  MuxDecoder decoder_;
  ChannelId highest_heard_ = 0;
  ChannelId highest_said_ = 0;
  std::map<ChannelId, Shadow> shadow_;
};

Mux::Events Act::MakeEvents() {
  Mux::Events events;
  events.on_open = [this](ChannelId id, ChannelKind, std::string_view) {
    if (id % 3 == 0) mux_->Reset(id);
  };
  events.on_readable = [this](ChannelId id) {
    if (id % 5 == 0) mux_->Consume(id, mux_->Readable(id).size() / 2);
  };
  events.on_writable = [this](ChannelId id) { mux_->Write(id, "again"); };
  events.on_reset = [this](ChannelId id) { ENSURE(!mux_->Exists(id)); };
  events.on_output = [] {};
  return events;
}

void Act::Say(std::string_view bytes) {
  if (!mux_->connected()) return;
  failed_ = !mux_->OnBytes(bytes).ok();
}

void Act::SayFrame() {
  const auto type = static_cast<MuxType>(input_.Byte() % 9);
  const ChannelId id = AnyChannel();
  std::string bytes;
  if (type == MuxType::kReset || type >= MuxType::kAck) {
    AppendMuxNumber(bytes, type, id, input_.Number());
  } else {
    const std::string payload(type == MuxType::kFin ? 0 : input_.Number(), 'p');
    const uint8_t kind = type == MuxType::kOpen ? 1 : input_.Byte() % 2;
    AppendMuxHeader(bytes, type, kind, id, payload.size());
    bytes += payload;
    if (type == MuxType::kOpen) highest_said_ = std::max(highest_said_, id);
  }
  Say(bytes);
}

void Act::Pull(size_t most) {
  std::string out;
  const bool pulled = mux_->PullOutput(out, most);
  ENSURE(pulled == !out.empty());
  ENSURE(out.size() <= most + kMaxMuxPayload + 4 * kMuxHeader + kMaxMetadata);
  for (std::string_view rest = out; !rest.empty();) {
    const auto frame = decoder_.Next(rest);
    ENSURE(frame.ok());
    if (*frame) Hear(**frame);
  }
}

void Act::Hear(const MuxFrame& frame) {
  if (frame.type == MuxType::kOpen) {
    ENSURE(frame.channel % 2 == 1 && frame.channel > highest_heard_);
    highest_heard_ = frame.channel;
    shadow_[frame.channel];
  } else if (frame.type == MuxType::kData || frame.type == MuxType::kFin) {
    Shadow& shadow = shadow_[frame.channel];
    ENSURE(frame.channel % 2 == 0 || frame.channel <= highest_heard_);
    ENSURE(!shadow.fin);
    shadow.received += frame.payload.size();
    shadow.fin = frame.type == MuxType::kFin;
  }
}

MuxResume Act::AnyResume() {
  MuxResume said;
  if (input_.Byte() % 2 == 0) {
    const std::string_view bytes = input_.Bytes(input_.Byte());
    said.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    return said;
  }
  said = HonestResume();
  if (said.channels_size() > 0) {
    auto& channel = *said.mutable_channels(input_.Byte() % said.channels_size());
    switch (input_.Byte() % 4) {
      case 0: channel.set_received(channel.received() + input_.Number() - 5); break;
      case 1: channel.set_fin_received(!channel.fin_received()); break;
      case 2: channel.set_id(AnyChannel()); break;
      default: said.mutable_channels()->RemoveLast(); break;
    }
  }
  return said;
}

MuxResume Act::HonestResume() const {
  MuxResume said;
  said.set_highest_own(highest_said_);
  said.set_highest_peer(highest_heard_);
  for (const auto& [id, shadow] : shadow_) {
    auto& channel = *said.add_channels();
    channel.set_id(id);
    channel.set_kind(id == kControlChannel ? 0 : 1);
    channel.set_received(shadow.received);
    channel.set_fin_received(shadow.fin);
  }
  return said;
}

void Act::Cut(bool honest) {
  mux_->Disconnected();
  decoder_.Reset();
  const std::string state = mux_->Save();
  ENSURE(state.size() <= kMostSaved);
  if (input_.Byte() % 2 == 0) {
    auto restored = Mux::Restore(Mux::Side::kHost, state, MakeEvents());
    ENSURE(restored.ok());
    mux_ = *std::move(restored);
    ENSURE(mux_->Save() == state);
  }
  (void)mux_->ResumeState();
  const MuxResume said = honest ? HonestResume() : AnyResume();
  failed_ = !mux_->Resume(said).ok();
  // What was believed is what the peer knows from now on.
  highest_heard_ = said.highest_peer();
  highest_said_ = said.highest_own();
  shadow_.clear();
  for (const auto& channel : said.channels()) {
    shadow_[channel.id()] = {channel.received(), channel.fin_received()};
  }
}

void Act::Check() {
  size_t held = 0;
  for (const ChannelId id : mux_->Channels()) held += mux_->Readable(id).size();
  ENSURE(held <= kMaxInFlight);
  ENSURE(mux_->Readable(kControlChannel).size() <= kChannelWindow);
}

void Act::Once() {
  const ChannelId id = AnyChannel();
  switch (input_.Byte() % 12) {
    case 0: Say(input_.Bytes(input_.Byte())); break;
    case 1:
    case 2: SayFrame(); break;
    case 3: mux_->Open(ChannelKind::kExec, input_.Bytes(input_.Byte() % 8)).IgnoreError(); break;
    case 4: mux_->Write(id, std::string(input_.Number() * 8, 'w')); break;
    case 5: mux_->Consume(id, std::min(mux_->Readable(id).size(), input_.Number())); break;
    case 6:
      if (id != kControlChannel) mux_->Finish(id);
      break;
    case 7:
      if (id != kControlChannel) mux_->Reset(id);
      break;
    case 8: Pull(input_.Number() * 4 + 1); break;
    case 9: Cut(true); break;
    case 10: Cut(false); break;
    case 11: mux_->Ping(input_.Byte()); break;
  }
  Check();
  if (!failed_) return;
  // The link is at its end: the next act begins a new one, with the state that it left or another.
  const std::string_view state = input_.Bytes(input_.Number());
  auto restored = Mux::Restore(Mux::Side::kHost, state, MakeEvents());
  mux_ =
      restored.ok() ? *std::move(restored) : std::make_unique<Mux>(Mux::Side::kHost, MakeEvents());
  mux_->Connected();
  failed_ = false;
  decoder_.Reset();
  highest_heard_ = highest_said_ = 0;
  shadow_.clear();
  shadow_[kControlChannel];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  Act act(input);
  while (!input.empty()) act.Once();
  return 0;
}
