// Random traffic over a MuxPair, with a ledger that knows what must come out: bytes are a function
// of channel, direction and offset, so that each one is checked when it is read.
#pragma once

#include <map>
#include <random>
#include <set>

#include "wire/limits.h"
#include "wire/testing/mux_pair.h"

namespace capsem::wire {

class MuxTraffic {
 public:
  explicit MuxTraffic(uint64_t seed);
  // One random act of either layer above, of the connection, or of fate.
  void Step();
  // No more new things: everything written is finished and read, over as many cuts as there were
  // bad moments. Then nothing may be left, and the ledger must agree.
  void Drain();
  size_t cuts() const { return cuts_; }
  uint64_t bytes() const { return bytes_; }

 private:
  // What one end has done and seen on one channel.
  struct Ledger {
    uint64_t written = 0;
    uint64_t read = 0;
    bool finished = false;   // by this end
    bool saw_end = false;    // of the other
    bool was_reset = false;  // by this end
    int heard_reset = 0;
  };
  struct Side {
    MuxEnd end;
    std::map<ChannelId, Ledger> ledger;
    std::string pipe;  // bytes on their way from this end
    size_t resets_seen = 0;
    explicit Side(Mux::Side side) : end(side) {}
  };

  size_t Below(size_t limit) {
    return std::uniform_int_distribution<size_t>(0, limit - 1)(random_);
  }
  bool Chance(size_t one_in) { return Below(one_in) == 0; }
  Side& Other(Side& side) { return &side == &host_ ? guest_ : host_; }
  ChannelId AnyChannel(Side& side);
  void Open(Side& side);
  void Write(Side& side, ChannelId id, size_t size);
  void Read(Side& side, ChannelId id, size_t most);
  void Finish(Side& side, ChannelId id);
  void Reset(Side& side, ChannelId id);
  void LayerStep(Side& side);
  void Deliver(Side& from, size_t most);
  void Cut();
  void Reconnect();
  void Hear(Side& side);
  void CheckChannel(ChannelId id);

  std::mt19937_64 random_;
  Side host_{Mux::Side::kHost};
  Side guest_{Mux::Side::kGuest};
  bool connected_ = false;
  bool first_ = true;
  bool calm_ = false;  // draining: nothing new is begun
  size_t cuts_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace capsem::wire
