#include <cstdlib>

#include "wire/limits.h"
#include "wire/testing/mux_pair.h"
#include "wire/testing/mux_traffic.h"

namespace capsem::wire {
namespace {

using capsem::guest::v1::MuxResume;

// CAPSEM_PROPERTY_ROUNDS asks for a longer proof; CAPSEM_PROPERTY_SEED repeats from one seed on.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST_CASE("random traffic, cut anywhere: every byte once and in order, every end told once") {
  const uint64_t first = FromEnvironment("CAPSEM_PROPERTY_SEED", 1);
  const uint64_t rounds = FromEnvironment("CAPSEM_PROPERTY_ROUNDS", 200);
  size_t cuts = 0;
  uint64_t bytes = 0;
  for (uint64_t seed = first; seed < first + rounds; ++seed) {
    INFO("CAPSEM_PROPERTY_SEED=" << seed);
    MuxTraffic traffic(seed);
    const size_t steps = 50 + seed % 7 * 150;
    for (size_t step = 0; step < steps; ++step) traffic.Step();
    traffic.Drain();
    cuts += traffic.cuts();
    bytes += traffic.bytes();
  }
  REQUIRE(cuts > rounds);
  REQUIRE(bytes > rounds * 100'000);
  if (std::getenv("CAPSEM_PROPERTY_ROUNDS") != nullptr)
    WARN(rounds << " rounds, " << cuts << " cuts, " << bytes << " bytes: each once and in order");
}

// A host and a guest in the middle of things: channel 1 with 10 bytes from each side, of which the
// other has consumed 4; then the connection is lost.
struct Halfway : MuxPair {
  Halfway() {
    Connect();
    REQUIRE(VALUE_OF(host.mux->Open(ChannelKind::kExec)) == 1);
    host.mux->Write(1, "0123456789");
    Exchange();
    guest.mux->Write(1, "abcdefghij");
    guest.mux->Consume(1, 4);
    guest.mux->Ping(1);
    Exchange();
    Cut();
  }
};

TEST_CASE("after a cut each side goes on where the other has stopped") {
  Halfway pair;
  pair.host.mux->Write(1, "ABC");
  pair.host.SaveAndRestore();
  pair.Reconnect();
  pair.Exchange();
  REQUIRE(pair.guest.Take(1) == "456789ABC");
  REQUIRE(pair.host.Take(1) == "abcdefghij");
}

TEST_CASE("a channel that was listed in the handshake is not forgotten before its last ACK") {
  MuxPair pair;
  pair.Connect();
  const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
  for (MuxEnd* end : {&pair.host, &pair.guest}) {
    if (end == &pair.guest) pair.Exchange();
    end->mux->Write(id, "all");
    end->mux->Finish(id);
  }
  pair.Exchange();
  pair.guest.Take(id);
  pair.Exchange();
  pair.host.Take(id);  // its ACK is lost
  pair.Cut();
  pair.host.SaveAndRestore();
  const MuxResume of_host = pair.host.mux->ResumeState();
  const MuxResume of_guest = pair.guest.mux->ResumeState();
  pair.host.mux->Consume(id, 0);
  REQUIRE_OK(pair.guest.mux->Resume(of_host));
  REQUIRE_OK(pair.host.mux->Resume(of_guest));
  pair.Exchange();
  REQUIRE(pair.host.mux->Channels().empty());
  REQUIRE(pair.guest.mux->Channels().empty());
}

TEST_CASE("a resume that cannot be is refused, and ends the link for good") {
  using Channel = MuxResume::Channel;
  struct Case {
    const char* what;
    std::function<void(MuxResume&, Channel&)> spoil;
    enum { kNothing, kFinishBeforeCut, kOpenAfterCut } host_does = kNothing;
  };
  const auto c = GENERATE(
      Case{"a byte before the acknowledged ones",
           [](MuxResume&, Channel& one) { one.set_received(3); }},
      Case{"a byte that was never sent", [](MuxResume&, Channel& one) { one.set_received(11); }},
      Case{"the last byte there is",
           [](MuxResume&, Channel& one) { one.set_received(UINT64_MAX); }},
      Case{"a FIN that was never sent",
           [](MuxResume&, Channel& one) { one.set_fin_received(true); }},
      Case{"a byte in place of the FIN", [](MuxResume&, Channel& one) { one.set_received(11); },
           Case::kFinishBeforeCut},
      Case{"another kind", [](MuxResume&, Channel& one) { one.set_kind(0); }},
      Case{"a channel that was never opened",
           [](MuxResume& all, Channel&) { all.set_highest_peer(3); }},
      Case{"a channel beyond its own",
           [](MuxResume& all, Channel&) { all.add_channels()->set_id(5); }},
      Case{"a channel twice",
           [](MuxResume& all, Channel& one) { *all.add_channels() = Channel(one); }},
      Case{"an own channel forgotten although read",
           [](MuxResume& all, Channel&) {
             all.set_highest_peer(0);
             all.mutable_channels()->RemoveLast();
           }},
      Case{"a channel that it was not told of yet",
           [](MuxResume& all, Channel&) { all.set_highest_peer(3); }, Case::kOpenAfterCut},
      Case{"no control",
           [](MuxResume& all, Channel&) { all.mutable_channels()->DeleteSubrange(0, 1); }});
  INFO(c.what);
  Halfway pair;
  if (c.host_does == Case::kFinishBeforeCut) {
    pair.Reconnect();
    pair.host.mux->Finish(1);
    pair.Exchange();
    pair.Cut();
  }
  if (c.host_does == Case::kOpenAfterCut) {
    REQUIRE(VALUE_OF(pair.host.mux->Open(ChannelKind::kExec)) == 3);
  }
  MuxResume said = pair.guest.mux->ResumeState();
  REQUIRE(said.channels_size() == 2);
  c.spoil(said, *said.mutable_channels(1));
  REQUIRE_CODE(pair.host.mux->Resume(said), kInvalidArgument);
  REQUIRE_FALSE(pair.host.mux->connected());
  REQUIRE_CODE(pair.host.mux->Resume(pair.guest.mux->ResumeState()), kInvalidArgument);
}

TEST_CASE("a channel that the peer has no more is over: reset, or finished when all was said") {
  const bool finished = GENERATE(false, true);
  Halfway pair;
  pair.Reconnect();
  if (finished) {
    pair.Exchange();
    pair.host.mux->Finish(1);
    pair.guest.mux->Finish(1);
    pair.guest.Take(1);
    pair.Exchange();
    pair.host.Take(1);
    pair.host.Pull();  // its last word, which is lost
    REQUIRE_FALSE(pair.host.mux->Exists(1));
    pair.Cut();
  } else {
    pair.Cut();
    pair.host.mux->Reset(1);
  }
  REQUIRE(pair.guest.mux->Exists(1));
  pair.Reconnect();
  REQUIRE_FALSE(pair.guest.mux->Exists(1));
  REQUIRE(pair.guest.resets.size() == (finished ? 0 : 1));
}

TEST_CASE("a reset between the two halves of a handshake is told all the same") {
  Halfway pair;
  const auto of_host = pair.host.mux->ResumeState();
  const auto of_guest = pair.guest.mux->ResumeState();
  pair.host.mux->Reset(1);
  REQUIRE_OK(pair.host.mux->Resume(of_guest));
  REQUIRE_OK(pair.guest.mux->Resume(of_host));
  pair.Exchange();
  REQUIRE(pair.guest.resets == std::vector<ChannelId>{1});
}

TEST_CASE("the most channels can be opened again and again, whatever has ended the earlier ones") {
  MuxPair pair;
  pair.Connect();
  for (const char* end :
       {"reset", "reset by the peer", "reset while cut", "reset unheard, then cut", "finished",
        "finished, then cut", "finished but for a word, then cut", "reset"}) {
    INFO(end);
    const std::string_view how = end;
    std::vector<ChannelId> ids;
    for (size_t i = 0; i < kMaxChannels; ++i) {
      ids.push_back(VALUE_OF(pair.host.mux->Open(ChannelKind::kExec)));
    }
    REQUIRE_CODE(pair.host.mux->Open(ChannelKind::kExec), kResourceExhausted);
    if (how == "reset unheard, then cut")
      pair.host.Pull();
    else
      pair.Exchange();
    if (how == "reset while cut") pair.Cut();
    for (const ChannelId id : ids) {
      if (how == "reset by the peer")
        pair.guest.mux->Reset(id);
      else if (how.starts_with("reset"))
        pair.host.mux->Reset(id);
      else
        pair.host.mux->Finish(id), pair.guest.mux->Finish(id);
    }
    if (how.starts_with("finished") && how.ends_with("cut")) {
      REQUIRE_OK(pair.guest.mux->OnBytes(pair.host.Pull()));
      REQUIRE_OK(pair.host.mux->OnBytes(pair.guest.Pull()));
      if (how == "finished, then cut") pair.host.Pull();
    }
    if (how.ends_with("cut")) {
      if (pair.host.mux->connected()) pair.Cut();
      pair.Reconnect();
    }
    // The host says its last words; what the guest would say is still to be sent at the next OPEN.
    if (how.starts_with("finished but"))
      REQUIRE_OK(pair.guest.mux->OnBytes(pair.host.Pull()));
    else if (how != "finished, then cut")
      pair.Exchange();
    REQUIRE(pair.host.mux->Channels().empty());
  }
}

}  // namespace
}  // namespace capsem::wire
