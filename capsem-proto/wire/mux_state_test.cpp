#include "wire/limits.h"
#include "wire/testing/mux_pair.h"

namespace capsem::wire {
namespace {

// A host with channels in every state there is.
std::string SavedHost() {
  MuxPair pair;
  pair.Connect();
  for (int i = 0; i < 5; ++i) pair.host.mux->Open(ChannelKind::kExec, "metadata").IgnoreError();
  pair.guest.mux->Open(ChannelKind::kExec).IgnoreError();
  pair.host.mux->Write(kControlChannel, "control");
  pair.host.mux->Write(1, "unacknowledged");
  pair.host.mux->Finish(3);
  pair.Exchange();
  pair.guest.mux->Write(1, "unconsumed");
  pair.guest.mux->Finish(3);
  pair.guest.mux->Finish(5);
  pair.Exchange();
  pair.host.mux->Open(ChannelKind::kExec, "not told").IgnoreError();
  pair.host.mux->Write(7, "not sent");
  pair.Cut();
  return pair.host.mux->Save();
}

StatusOr<std::unique_ptr<Mux>> Restored(std::string_view state, Mux::Side side = Mux::Side::kHost) {
  MuxEnd end(side);
  auto mux = Mux::Restore(side, state, end.MakeEvents());
  return mux;
}

// Whatever was restored can be used: nothing is read or sent that is not there.
void UseAll(Mux& mux) {
  REQUIRE(mux.ResumeState().channels_size() > 0);
  mux.Connected();
  std::string out;
  for (const ChannelId id : mux.Channels()) {
    mux.Consume(id, mux.Readable(id).size());
    mux.Write(id, "more");
    mux.Finish(id);
  }
  while (mux.PullOutput(out, 1 << 16)) REQUIRE(out.size() < 2 * kMaxInFlight);
}

TEST_CASE("what was saved is restored") {
  const std::string state = SavedHost();
  REQUIRE(VALUE_OF(Restored(state))->Save() == state);
  REQUIRE(VALUE_OF(Restored(state))->Readable(1) == "unconsumed");
  REQUIRE(VALUE_OF(Restored(state))->Finished(5));
}

TEST_CASE("state that is cut off, longer, or of the other side is refused") {
  const std::string state = SavedHost();
  for (size_t size = 0; size < state.size(); ++size) {
    REQUIRE_CODE(Restored(state.substr(0, size)), kDataLoss);
  }
  REQUIRE_CODE(Restored(state + '\0'), kDataLoss);
  REQUIRE_CODE(Restored(state, Mux::Side::kGuest), kDataLoss);
}

TEST_CASE("damaged state is refused, or restored to something that holds together") {
  const std::string state = SavedHost();
  size_t refused = 0;
  for (size_t i = 0; i < state.size(); ++i) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = state;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const auto mux = Restored(damaged);
      if (!mux.ok()) {
        ++refused;
        REQUIRE_CODE(mux, kDataLoss);
        continue;
      }
      REQUIRE((*mux)->Save() == damaged);
      UseAll(**mux);
    }
  }
  REQUIRE(refused > 0);
}

TEST_CASE("a saved state holds no more than the link may have in flight") {
  MuxPair pair;
  pair.Connect();
  for (size_t i = 0; i < kMaxChannels; ++i) {
    const ChannelId id = VALUE_OF(pair.host.mux->Open(ChannelKind::kExec));
    pair.host.mux->Write(id, std::string(kChannelWindow, 'x'));
  }
  pair.Exchange();
  for (const ChannelId id : pair.guest.mux->Channels()) {
    pair.guest.mux->Write(id, std::string(kChannelWindow, 'y'));
  }
  pair.Exchange();
  pair.Cut();
  const size_t size = pair.host.mux->Save().size();
  REQUIRE(size > kMaxInFlight);
  REQUIRE(size < 2 * kMaxInFlight + 100 * kMaxChannels);
}

}  // namespace
}  // namespace capsem::wire
