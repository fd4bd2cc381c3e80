#include "wire/mux.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "wire/limits.h"
#include "wire/mux_channel.h"
#include "wire/mux_codec.h"
#include "wire/testing/mux_pair.h"

namespace capsem::wire {
namespace {

using Ids = std::vector<ChannelId>;

TEST_CASE("control and a channel carry bytes both ways") {
  MuxPair pair;
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec, "meta"));
  REQUIRE(pair.host.mux->Write(kControlChannel, "configure") == 9);
  REQUIRE(pair.host.mux->Write(id, "start") == 5);
  pair.Connect();
  pair.Exchange();
  REQUIRE(pair.guest.opened == std::vector<std::pair<ChannelId, std::string>>{{id, "meta"}});
  REQUIRE(pair.guest.Take(kControlChannel) == "configure");
  REQUIRE(pair.guest.Take(id) == "start");
  pair.guest.mux->Write(id, "output");
  pair.Exchange();
  REQUIRE(pair.host.Take(id) == "output");
}

TEST_CASE("ids are odd for the host, even for the guest, and never used again") {
  MuxPair pair;
  for (MuxEnd* end : {&pair.host, &pair.guest}) {
    const ChannelId first = end == &pair.host ? 1 : 2;
    REQUIRE(VALUE_OF(end->mux->Open(ChannelKind::kExec)) == first);
    end->mux->Reset(first);
    REQUIRE(VALUE_OF(end->mux->Open(ChannelKind::kExec)) == first + 2);
  }
}

TEST_CASE("a channel is forgotten by both when both have finished and consumed") {
  MuxPair pair;
  pair.Connect();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  pair.host.mux->Write(id, "in");
  pair.host.mux->Finish(id);
  pair.Exchange();
  REQUIRE_FALSE(pair.guest.mux->Finished(id));
  REQUIRE(pair.guest.Take(id) == "in");
  REQUIRE(pair.guest.mux->Finished(id));
  REQUIRE_FALSE(pair.host.mux->Finished(id));
  pair.guest.mux->Write(id, "out");
  pair.guest.mux->Finish(id);
  pair.Exchange();
  REQUIRE(pair.host.mux->Exists(id));
  REQUIRE(pair.host.Take(id) == "out");
  pair.Exchange();
  REQUIRE(pair.host.mux->Finished(id));
  REQUIRE_FALSE(pair.host.mux->Exists(id));
  REQUIRE_FALSE(pair.guest.mux->Exists(id));
  REQUIRE(pair.host.mux->Channels().empty());
  REQUIRE(pair.host.resets.empty());
  REQUIRE(pair.guest.resets.empty());
}

TEST_CASE("a reset is told once to the other side, and to nobody when nobody had heard of it") {
  MuxPair pair;
  pair.Connect();
  const ChannelId unheard = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  pair.host.mux->Reset(unheard);
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  pair.Exchange();
  REQUIRE(pair.guest.mux->Channels() == Ids{id});
  pair.guest.mux->Write(id, "on its way");
  pair.host.mux->Reset(id);
  pair.host.mux->Reset(id);
  pair.Exchange();
  REQUIRE(pair.guest.resets == Ids{id});
  REQUIRE(pair.host.resets.empty());
  REQUIRE_FALSE(pair.guest.mux->Exists(id));
  REQUIRE(pair.guest.mux->Write(id, "late") == 0);
}

TEST_CASE("Write takes a window, and on_writable comes when the reader has consumed") {
  MuxPair pair;
  pair.Connect();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  Ids writable;
  pair.host.on_writable = [&](ChannelId which) { writable.push_back(which); };
  const std::string much(kChannelWindow + 1, 'x');
  REQUIRE(pair.host.mux->Write(id, much) == kChannelWindow);
  REQUIRE(pair.host.mux->Write(id, "y") == 0);
  pair.Exchange();
  REQUIRE(writable.empty());
  pair.guest.mux->Consume(id, kChannelWindow / 4 - 1);
  pair.Exchange();
  REQUIRE(writable.empty());
  pair.guest.mux->Consume(id, 1);
  pair.Exchange();
  REQUIRE(writable == Ids{id});
  REQUIRE(pair.host.mux->Write(id, much) == kChannelWindow / 4);
}

TEST_CASE("the guest is told of half a window: each packet to it is an interrupt") {
  MuxPair pair;
  pair.Connect();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  pair.Exchange();
  REQUIRE(pair.guest.mux->Write(id, std::string(kChannelWindow, 'x')) == kChannelWindow);
  pair.Exchange();
  pair.host.mux->Consume(id, kChannelWindow / 2 - 1);
  REQUIRE(pair.host.Pull().empty());
  pair.host.mux->Consume(id, 1);
  REQUIRE(pair.host.Pull().size() == kMuxHeader + 8);
}

TEST_CASE("a full pull of a busy channel is one packet of vsock, of bytes that were not copied") {
  MuxPair pair;
  pair.Connect();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  pair.host.Pull();
  pair.host.mux->Write(id, std::string(kChannelWindow, 'x'));
  const char* bytes = nullptr;
  for (size_t pull = 0; pull < kChannelWindow / kMuxBlock; ++pull) {
    const auto pieces = pair.host.mux->PullPieces(kVsockPacket);
    REQUIRE(pieces.size() == 2);
    REQUIRE(pieces[0].size() == kMuxHeader);
    REQUIRE(pieces[0].size() + pieces[1].size() == kVsockPacket);
    REQUIRE(pieces[1].data() != std::exchange(bytes, pieces[1].data()));
  }
  // That was the window: no small packet is left of it.
  REQUIRE(pair.host.mux->PullPieces(kVsockPacket).empty());
}

TEST_CASE(
    "bytes are made where they lie, as far as the window goes, and on_writable says when again") {
  MuxPair pair;
  pair.Connect();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  REQUIRE(pair.host.mux->MakeRoom(id + 2, 10).empty());
  Ids writable;
  pair.host.on_writable = [&](ChannelId which) { writable.push_back(which); };
  std::string wanted;
  // Each time less is made than there was room for.
  for (auto room = pair.host.mux->MakeRoom(id, 50'000); !room.empty();
       room = pair.host.mux->MakeRoom(id, 50'000)) {
    const std::string bytes(std::min<size_t>(room.size(), 40'000),
                            static_cast<char>(wanted.size()));
    std::ranges::copy(bytes, room.begin());
    pair.host.mux->Wrote(id, bytes.size());
    wanted += bytes;
  }
  REQUIRE(wanted.size() == kChannelWindow);
  REQUIRE(writable.empty());
  pair.Exchange();
  REQUIRE(pair.guest.Take(id) == wanted);
  pair.Exchange();
  REQUIRE(writable == Ids{id});
  REQUIRE(pair.host.mux->MakeRoom(id, 10).size() == 10);
  pair.host.mux->Finish(id);
  REQUIRE(pair.host.mux->MakeRoom(id, 10).empty());
}

TEST_CASE("small ACKs wait for other output, and then go along") {
  MuxPair pair;
  pair.Connect();
  pair.host.mux->Write(kControlChannel, "hello");
  pair.Exchange();
  pair.guest.Take(kControlChannel);
  REQUIRE(pair.guest.Pull().empty());
  pair.guest.mux->Ping(7);
  const std::string bytes = pair.guest.Pull();
  REQUIRE(bytes.size() == 2 * (kMuxHeader + 8));
  REQUIRE_OK(pair.host.mux->OnBytes(bytes));
  pair.Exchange();
  REQUIRE(pair.guest.pongs == std::vector<uint64_t>{7});
}

TEST_CASE("control overtakes bulk that was written before it") {
  MuxPair pair;
  pair.Connect();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  pair.host.mux->Write(id, std::string(kChannelWindow, 'x'));
  REQUIRE_OK(pair.guest.mux->OnBytes(pair.host.Pull(kMaxMuxPayload)));
  pair.host.mux->Write(kControlChannel, "now");
  pair.host.mux->Ping(1);
  REQUIRE_OK(pair.guest.mux->OnBytes(pair.host.Pull(100)));
  REQUIRE(pair.guest.Take(kControlChannel) == "now");
  REQUIRE(pair.guest.mux->Readable(id).size() < kChannelWindow);
}

TEST_CASE("fifty busy channels each get a frame in every round of fifty") {
  MuxPair pair;
  pair.Connect();
  constexpr size_t kBusy = 50;
  std::vector<ChannelId> served;
  pair.guest.on_readable = [&](ChannelId id) {
    served.push_back(id);
    pair.guest.Take(id);
  };
  for (size_t i = 0; i < kBusy; ++i) {
    const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
    pair.host.mux->Write(id, std::string(kChannelWindow + 1, 'x'));
  }
  pair.host.on_writable = [&](ChannelId id) {
    pair.host.mux->Write(id, std::string(kChannelWindow + 1, 'x'));
  };
  for (size_t pull = 0; pull < 40 * kBusy; ++pull) {
    REQUIRE_OK(pair.guest.mux->OnBytes(pair.host.Pull(kMaxMuxPayload)));
    REQUIRE_OK(pair.host.mux->OnBytes(pair.guest.Pull()));
  }
  std::vector<size_t> last(2 * kBusy, 0);
  for (size_t i = 0; i < served.size(); ++i) {
    REQUIRE(i - last[served[i]] <= 2 * kBusy);
    last[served[i]] = i;
  }
  for (ChannelId id = 1; id < 2 * kBusy; id += 2) REQUIRE(served.size() - last[id] <= 2 * kBusy);
}

TEST_CASE("channels whose readers have stopped do not stop another one") {
  MuxPair pair;
  pair.Connect();
  const std::string much(kChannelWindow, 'x');
  size_t stuck = 0;
  const auto stall = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      stuck += pair.host.mux->Write(VALUE_OF(pair.host.mux->Open(ChannelKind::kExec)), much);
    }
  };
  stall(kMaxChannels - 1);
  pair.Exchange();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  REQUIRE_CODE(pair.host.mux->Open(ChannelKind::kExec), kResourceExhausted);
  size_t arrived = 0, written = 0;
  const size_t total = 1 << 20;
  pair.guest.on_readable = [&](ChannelId which) {
    if (which == id) arrived += pair.guest.Take(id).size();
  };
  const auto write = [&](ChannelId which) {
    if (which == id) written += pair.host.mux->Write(id, much.substr(0, total - written));
  };
  pair.host.on_writable = write;
  write(id);
  pair.Exchange();
  REQUIRE(stuck <= kMaxInFlight);
  REQUIRE(stuck > kMaxInFlight / 4);
  REQUIRE(arrived == total);
}

TEST_CASE("a few channels whose readers have stopped leave the next one half of what is free") {
  MuxPair pair;
  pair.Connect();
  const std::string much(kChannelWindow, 'x');
  size_t taken = kChannelWindow;
  size_t free = kInFlightPool;
  for (int i = 0; i < 10; ++i) {
    const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
    taken = pair.host.mux->Write(id, much);
    REQUIRE(taken >= std::min(kChannelWindow, free / 2));
    free -= PoolCharge(taken);
    REQUIRE(pair.host.mux->Write(id, much) == 0);
  }
  REQUIRE(taken < kChannelWindow);
}

TEST_CASE("an ACK that was put off is sent when memory has become short") {
  MuxPair pair;
  pair.Connect();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  constexpr size_t kLittle = 100'000;  // less than would be acknowledged at once
  REQUIRE(pair.host.mux->Write(id, std::string(kLittle, 'x')) == kLittle);
  pair.Exchange();
  REQUIRE(pair.guest.Take(id).size() == kLittle);
  for (int i = 0; i < 40; ++i) {
    const ChannelId stuck = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
    pair.host.mux->Write(stuck, std::string(kChannelWindow, 'x'));
  }
  REQUIRE(pair.host.mux->Write(id, "x") == 0);
  bool writable = false;
  pair.host.on_writable = [&](ChannelId which) { writable = writable || which == id; };
  pair.Exchange();
  REQUIRE(writable);
}

TEST_CASE("on_output is told once until everything was pulled") {
  MuxPair pair;
  pair.host.mux->Write(kControlChannel, "a");
  REQUIRE(pair.host.output_told == 0);
  pair.Connect();
  REQUIRE(pair.host.output_told == 1);
  pair.host.mux->Write(kControlChannel, "b");
  REQUIRE(pair.host.output_told == 1);
  REQUIRE_FALSE(pair.host.Pull().empty());
  REQUIRE(pair.host.Pull().empty());
  pair.host.mux->Write(kControlChannel, "c");
  REQUIRE(pair.host.output_told == 2);
}

TEST_CASE("a Mux may be destroyed from within any of its events") {
  struct Destroyer {
    std::unique_ptr<Mux> mux;
    int calls = 0;
    void End() {
      ++calls;
      mux.reset();
    }
  };
  const auto event = GENERATE("open", "readable", "reset", "writable", "output", "pong");
  INFO(event);
  const std::string_view which = event;
  MuxEnd host(Mux::Side::kHost);
  Destroyer guest;
  Mux::Events events;
  const auto end_at = [&](const char* name) {
    if (which == name) guest.End();
  };
  events.on_open = [&](ChannelId, ChannelKind, std::string_view) { end_at("open"); };
  events.on_readable = [&](ChannelId) { end_at("readable"); };
  events.on_reset = [&](ChannelId) { end_at("reset"); };
  events.on_writable = [&](ChannelId) { end_at("writable"); };
  events.on_output = [&] { end_at("output"); };
  events.on_pong = [&](uint64_t) { end_at("pong"); };
  guest.mux = std::make_unique<Mux>(Mux::Side::kGuest, std::move(events));
  guest.mux->Write(kControlChannel, std::string(kChannelWindow + 1, 'x'));
  host.mux->Connected();
  guest.mux->Connected();
  const ChannelId id = VALUE_OF(host.mux->Open(ChannelKind::kExec));
  host.mux->Write(id, "bytes");
  if (guest.mux) guest.mux->Ping(1);
  std::string bytes;
  if (guest.mux) guest.mux->PullOutput(bytes, 1 << 20);
  REQUIRE_OK(host.mux->OnBytes(bytes));
  host.mux->Consume(kControlChannel, host.mux->Readable(kControlChannel).size());
  bytes = host.Pull();
  host.mux->Reset(id);
  bytes += host.Pull() + host.Pull();
  if (guest.mux) REQUIRE_OK(guest.mux->OnBytes(bytes));
  REQUIRE(guest.calls == 1);
  REQUIRE(guest.mux == nullptr);
}

}  // namespace
}  // namespace capsem::wire
