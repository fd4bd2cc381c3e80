#include "wire/testing/mux_traffic.h"

#include <algorithm>

namespace capsem::wire {
namespace {

// What may be saved: both directions full, and a little for each channel.
constexpr size_t kMostSaved =
    2 * kMaxInFlight + 2 * kChannelWindow + 64 * 2 * kMaxChannels + kMaxChannels * kMaxMetadata;

char ByteAt(Mux::Side writer, ChannelId id, uint64_t offset) {
  const uint64_t mixed = (offset + 1) * 0x9E3779B97F4A7C15u ^ (uint64_t{id} << 17) ^
                         (writer == Mux::Side::kHost ? 0x55 : 0);
  return static_cast<char>(mixed >> 32);
}

}  // namespace

MuxTraffic::MuxTraffic(uint64_t seed) : random_(seed) {
  host_.ledger[kControlChannel];
  guest_.ledger[kControlChannel];
}

ChannelId MuxTraffic::AnyChannel(Side& side) {
  const auto ids = side.end.mux->Channels();
  const size_t index = Below(ids.size() + 1);
  return index == ids.size() ? kControlChannel : ids[index];
}

void MuxTraffic::Open(Side& side) {
  const auto id = side.end.mux->Open(ChannelKind::kExec, std::string(Below(20), 'm'));
  if (id.ok()) side.ledger[*id];
}

void MuxTraffic::Write(Side& side, ChannelId id, size_t size) {
  Ledger& ledger = side.ledger[id];
  if (ledger.finished || ledger.was_reset) return;
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes += ByteAt(side.end.side, id, ledger.written + i);
  ledger.written += side.end.mux->Write(id, bytes);
}

void MuxTraffic::Read(Side& side, ChannelId id, size_t most) {
  Ledger& ledger = side.ledger[id];
  const std::string_view bytes = side.end.mux->Readable(id).substr(0, most);
  const Mux::Side writer = Other(side).end.side;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != ByteAt(writer, id, ledger.read + i)) FAIL("a wrong byte on channel " << id);
  }
  ledger.read += bytes.size();
  bytes_ += bytes.size();
  side.end.mux->Consume(id, bytes.size());
}

void MuxTraffic::Finish(Side& side, ChannelId id) {
  if (id == kControlChannel) return;
  side.end.mux->Finish(id);
  side.ledger[id].finished = true;
}

void MuxTraffic::Reset(Side& side, ChannelId id) {
  if (id == kControlChannel || !side.end.mux->Exists(id)) return;
  side.end.mux->Reset(id);
  side.ledger[id].was_reset = true;
}

// What the events have said since the last look.
void MuxTraffic::Hear(Side& side) {
  for (; side.resets_seen < side.end.resets.size(); ++side.resets_seen) {
    ++side.ledger[side.end.resets[side.resets_seen]].heard_reset;
  }
  for (auto& [id, ledger] : side.ledger) {
    const bool ours_to_see = !ledger.was_reset && ledger.heard_reset == 0;
    if (ours_to_see && !ledger.saw_end && side.end.mux->Finished(id)) ledger.saw_end = true;
  }
}

void MuxTraffic::LayerStep(Side& side) {
  const ChannelId id = AnyChannel(side);
  switch (Below(12)) {
    case 0: return Open(side);
    case 1: return Finish(side, id);
    case 2:
      if (Chance(4)) Reset(side, id);
      return;
    case 3: return Write(side, id, Below(Chance(5) ? 2 * kChannelWindow : kChannelWindow / 4));
    case 4:
    case 5:
    case 6: return Write(side, id, Below(Chance(2) ? 50 : 20'000));
    case 7: side.end.mux->Ping(Below(1000)); return;
    default: return Read(side, id, Chance(2) ? Below(3000) : kChannelWindow);
  }
}

void MuxTraffic::Deliver(Side& from, size_t most) {
  if (!connected_) return;
  from.end.mux->PullOutput(from.pipe, 1 + Below(200'000));
  const size_t size = std::min(most, from.pipe.size());
  const std::string bytes = from.pipe.substr(0, size);
  from.pipe.erase(0, size);
  REQUIRE_OK(Other(from).end.mux->OnBytes(bytes));
}

// Each end notices after a random part of what was on its way.
void MuxTraffic::Cut() {
  Deliver(host_, Below(100'000));
  Deliver(guest_, Below(100'000));
  connected_ = false;
  ++cuts_;
  for (Side* side : {&host_, &guest_}) {
    side->end.mux->Disconnected();
    side->pipe.clear();
    REQUIRE(side->end.mux->Save().size() <= kMostSaved);
  }
}

void MuxTraffic::Reconnect() {
  if (Chance(2)) host_.end.SaveAndRestore();
  if (first_ && Chance(2)) {
    host_.end.mux->Connected();
    guest_.end.mux->Connected();
  } else {
    const auto of_host = host_.end.mux->ResumeState();
    if (!calm_ && Chance(2)) LayerStep(host_);
    const auto of_guest = guest_.end.mux->ResumeState();
    if (!calm_ && Chance(2)) LayerStep(guest_);
    REQUIRE(of_host.ByteSizeLong() < kMaxHandshake - 256);
    // The last word of the handshake may be lost: then only one of them believes in it.
    if (Chance(8)) {
      Side& alone = Chance(2) ? host_ : guest_;
      REQUIRE_OK(alone.end.mux->Resume(&alone == &host_ ? of_guest : of_host));
      first_ = false;
      alone.end.mux->PullOutput(alone.pipe, 1 + Below(100'000));
      return Cut();
    }
    REQUIRE_OK(guest_.end.mux->Resume(of_host));
    REQUIRE_OK(host_.end.mux->Resume(of_guest));
  }
  first_ = false;
  connected_ = true;
}

void MuxTraffic::Step() {
  Side& side = Chance(2) ? host_ : guest_;
  if (!connected_) {
    if (Chance(4))
      Reconnect();
    else
      LayerStep(side);
  } else if (Chance(60)) {
    Cut();
  } else if (Chance(2)) {
    LayerStep(side);
  } else {
    Deliver(side, Chance(3) ? Below(40) : Below(300'000));
  }
  Hear(host_);
  Hear(guest_);
}

void MuxTraffic::Drain() {
  calm_ = true;
  for (int quiet = 0; quiet < 3;) {
    if (!connected_) Reconnect();
    const uint64_t before = bytes_;
    const size_t left = host_.end.mux->Channels().size() + guest_.end.mux->Channels().size();
    for (Side* side : {&host_, &guest_}) {
      for (const ChannelId id : side->end.mux->Channels()) {
        Read(*side, id, kChannelWindow);
        Finish(*side, id);
      }
      Read(*side, kControlChannel, kChannelWindow);
      Deliver(*side, SIZE_MAX);
      Hear(host_);
      Hear(guest_);
    }
    const bool moved = bytes_ != before ||
                       left != host_.end.mux->Channels().size() + guest_.end.mux->Channels().size();
    // A round whose handshake was lost says nothing.
    if (connected_) quiet = moved ? 0 : quiet + 1;
    if (Chance(10)) Cut();
  }
  REQUIRE(host_.end.mux->Channels().empty());
  REQUIRE(guest_.end.mux->Channels().empty());
  std::set<ChannelId> ids;
  for (const Side* side : {&host_, &guest_}) {
    for (const auto& [id, ledger] : side->ledger) ids.insert(id);
  }
  for (const ChannelId id : ids) CheckChannel(id);
}

void MuxTraffic::CheckChannel(ChannelId id) {
  INFO("channel " << id);
  const Ledger& host = host_.ledger[id];
  const Ledger& guest = guest_.ledger[id];
  const bool reset = host.was_reset || guest.was_reset;
  if (id == kControlChannel || !reset) {
    REQUIRE(host.read == guest.written);
    REQUIRE(guest.read == host.written);
    REQUIRE(host.heard_reset + guest.heard_reset == 0);
    REQUIRE(host.saw_end == (id != kControlChannel));
    REQUIRE(guest.saw_end == (id != kControlChannel));
    return;
  }
  const auto check = [](const Ledger& one, const Ledger& other, bool knew) {
    REQUIRE(one.read <= other.written);
    REQUIRE(one.heard_reset <= (other.was_reset && !one.was_reset ? 1 : 0));
    // Whoever had everything of the other and had said everything may take it for an end.
    const bool complete = one.saw_end && one.finished;
    if (knew && !one.was_reset && !complete) REQUIRE(one.heard_reset == 1);
  };
  const auto opened = [id](const Side& side) {
    return std::any_of(side.end.opened.begin(), side.end.opened.end(),
                       [id](const auto& open) { return open.first == id; });
  };
  const bool hosts = id % 2 == 1;
  check(host, guest, hosts || opened(host_));
  check(guest, host, !hosts || opened(guest_));
}

}  // namespace capsem::wire
