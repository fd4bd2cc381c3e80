// What a hostile peer may send, and what becomes of it.
#include "wire/limits.h"
#include "wire/mux_codec.h"
#include "wire/testing/mux_pair.h"

namespace capsem::wire {
namespace {

std::string Raw(uint8_t type, uint8_t kind, ChannelId id, size_t length, std::string payload = {}) {
  std::string bytes;
  AppendMuxHeader(bytes, static_cast<MuxType>(type), kind, id, length);
  return bytes + payload;
}
std::string Open(ChannelId id, const std::string& metadata = {}) {
  return Raw(1, 1, id, metadata.size(), metadata);
}
std::string Data(ChannelId id, const std::string& bytes) {
  return Raw(2, 0, id, bytes.size(), bytes);
}
std::string Fin(ChannelId id) { return Raw(3, 0, id, 0); }
std::string Number(MuxType type, ChannelId id, uint64_t number) {
  std::string bytes;
  AppendMuxNumber(bytes, type, id, number);
  return bytes;
}
std::string Ack(ChannelId id, uint64_t offset) { return Number(MuxType::kAck, id, offset); }

std::string Flood(size_t frames, const std::function<std::string(size_t)>& frame) {
  std::string bytes;
  for (size_t i = 0; i < frames; ++i) bytes += frame(i);
  return bytes;
}

// The host as it is met by a guest: channels 1 (with 5 bytes sent) and 3 are its own, 5 was reset.
struct Target : MuxPair {
  Target() {
    Connect();
    for (const ChannelId id : {1, 3, 5}) {
      REQUIRE(VALUE_OF(host.mux->Open(ChannelKind::kExec)) == id);
    }
    host.mux->Write(1, "12345");
    host.Pull();
    host.mux->Reset(5);
    host.Pull();
    host.mux->Open(ChannelKind::kExec).IgnoreError();  // 7: not told yet
  }
};

TEST_CASE("what breaks the rules ends the link, also when it comes byte by byte") {
  const std::string block(kMuxBlock, 'x');
  constexpr size_t kBlocks = kChannelWindow / kMuxBlock;
  struct Case {
    const char* what;
    std::string bytes;
  };
  const auto c = GENERATE_COPY(
      Case{"type 0", Raw(0, 0, 1, 0)}, Case{"type 8", Raw(8, 0, 1, 0)},
      Case{"a kind where none belongs", Raw(2, 1, 1, 1, "x")},
      Case{"a channel of the kind control", Raw(1, 0, 2, 0)},
      Case{"a channel of an unknown kind", Raw(1, 3, 2, 0)},
      Case{"reserved bits", std::string("\x01\0\0\0\x03\0\x01\0\0\0\0\0", 12)},
      Case{"metadata over 4 KiB", Raw(1, 1, 2, kMaxMetadata + 1)},
      Case{"a payload over 64 KiB", Raw(2, 0, 1, kMaxMuxPayload + 1)},
      Case{"a payload of 4 GiB", Raw(2, 0, 1, UINT32_MAX)}, Case{"no payload", Raw(2, 0, 1, 0)},
      Case{"a FIN with a payload", Raw(3, 0, 1, 1, "x")},
      Case{"a RESET of 8 bytes", Raw(4, 0, 1, 8, "12345678")},
      Case{"an ACK of 4 bytes", Raw(5, 0, 1, 4, "1234")},
      Case{"a PING on a channel", Number(MuxType::kPing, 1, 1)}, Case{"control opened", Open(0)},
      Case{"control finished", Fin(0)}, Case{"control reset", Number(MuxType::kReset, 0, 0)},
      Case{"an id of the wrong side", Open(9)}, Case{"an id opened twice", Open(2) + Open(2)},
      Case{"an id that goes back", Open(4) + Open(2)},
      Case{"an id used again", Open(2) + Number(MuxType::kReset, 2, 0) + Open(2)},
      Case{"bytes for an id never opened", Data(2, "x")},
      Case{"bytes for an own id never opened", Data(9, "x")},
      Case{"bytes for an own id not told yet", Data(7, "x")},
      Case{"bytes after FIN", Data(1, "x") + Fin(1) + Data(1, "y")},
      Case{"FIN twice", Fin(1) + Fin(1)},
      Case{"a window and one byte",
           Flood(kBlocks, [&](size_t) { return Data(3, block); }) + Data(3, "x")},
      Case{"a window of control and one byte",
           Flood(kBlocks, [&](size_t) { return Data(0, block); }) + Data(0, "x")},
      Case{"an ACK beyond what was sent", Ack(1, 6)}, Case{"an ACK of a FIN never sent", Ack(3, 1)},
      Case{"an ACK that goes back", Ack(1, 3) + Ack(1, 2)},
      Case{"the last ACK there is", Ack(1, UINT64_MAX)},
      Case{"an OPEN too many", Flood(kMaxChannels + 1, [](size_t i) {
             return Open(static_cast<ChannelId>(2 * i + 2));
           })});
  INFO(c.what);
  const size_t step = GENERATE(size_t{1}, size_t{1} << 20);
  Target target;
  std::string_view rest = c.bytes;
  Status heard;
  while (!rest.empty() && heard.ok()) {
    heard = target.host.mux->OnBytes(rest.substr(0, step));
    rest.remove_prefix(std::min(step, rest.size()));
  }
  REQUIRE_CODE(heard, kInvalidArgument);
  // It stays an error, and nothing is sent any more.
  REQUIRE_CODE(target.host.mux->OnBytes(Open(100)), kInvalidArgument);
  REQUIRE(target.host.Pull().empty());
}

TEST_CASE("what is late for a channel that was reset is dropped") {
  Target target;
  const std::string late =
      GENERATE(Data(5, "x"), Fin(5), Ack(5, 99), Number(MuxType::kReset, 5, 1));
  REQUIRE_OK(target.host.mux->OnBytes(late));
  REQUIRE(target.host.resets.empty());
}

TEST_CASE("a peer that opens and leaves, again and again, fills no memory of ours") {
  struct Case {
    const char* what;
    std::function<std::string(ChannelId)> frames;
    bool refused;  // by this side's layer above, with a reset that is never pulled
  };
  const auto c = GENERATE(
      Case{"open, reset", [](ChannelId id) { return Open(id) + Number(MuxType::kReset, id, 0); },
           false},
      Case{"open, finish, reset",
           [](ChannelId id) { return Open(id) + Fin(id) + Number(MuxType::kReset, id, 0); }, false},
      Case{"open, bytes, reset",
           [](ChannelId id) {
             return Open(id) + Data(id, "bytes") + Number(MuxType::kReset, id, 0);
           },
           false},
      Case{"ping", [](ChannelId id) { return Number(MuxType::kPing, 0, id); }, false},
      Case{"open, and be refused", [](ChannelId id) { return Open(id); }, true});
  INFO(c.what);
  MuxPair pair;
  pair.Connect();
  pair.host.on_readable = [&](ChannelId id) { pair.host.Take(id); };
  Status heard;
  ChannelId id = 2;
  for (; id < 20'000 && heard.ok(); id += 2) {
    heard = pair.host.mux->OnBytes(c.frames(id));
    if (c.refused) pair.host.mux->Reset(id);
  }
  REQUIRE(heard.ok() == !c.refused);
  REQUIRE(pair.host.Pull().size() <= 2 * kMaxChannels * (kMuxHeader + 8));
}

TEST_CASE("all channels together hold no more than the link may have in flight") {
  MuxPair pair;
  pair.Connect();
  const std::string payload(kMuxBlock, 'x');
  size_t taken = 0;
  Status heard;
  for (ChannelId id = 2; heard.ok(); id += 2) {
    heard = pair.host.mux->OnBytes(Open(id));
    for (size_t i = 0; i < kChannelWindow / kMuxBlock && heard.ok(); ++i) {
      heard = pair.host.mux->OnBytes(Data(id, payload));
      if (heard.ok()) taken += payload.size();
    }
  }
  REQUIRE_CODE(heard, kInvalidArgument);
  REQUIRE(taken <= kMaxInFlight);
  REQUIRE(taken + payload.size() > kMaxInFlight);
}

}  // namespace
}  // namespace capsem::wire
