// One channel of the multiplexer: what was written and not yet acknowledged, what came and is not
// yet consumed. Internal to wire/mux; arithmetic only.
//
// Offsets count the bytes of one direction from the channel's begin; its FIN counts as one more, so
// that "the FIN was consumed" is an offset, too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/block_queue.h"
#include "wire/limits.h"
#include "wire/mux.h"

namespace capsem::wire {

// Bytes in order, dropped from the front at constant cost per byte.
class ByteQueue {
 public:
  void Append(std::string_view bytes);
  // As Append, but an empty queue copies nothing: the bytes stay where they are until Keep copies
  // what has not been dropped by then.
  void Lend(std::string_view bytes);
  void Keep();
  void Drop(size_t bytes);
  std::string_view view() const {
    return lent_.empty() ? std::string_view(data_).substr(start_) : lent_;
  }
  size_t size() const { return view().size(); }
  bool empty() const { return size() == 0; }

 private:
  std::string data_;
  size_t start_ = 0;
  std::string_view lent_;  // not empty: all there is
};

struct MuxChannel {
  const ChannelId id;
  const ChannelKind kind;
  bool open_sent;  // both sides know of it: true from the begin for one that the peer opened

  // ---- outgoing ----
  BlockQueue out;             // [acked, written)
  std::string metadata = {};  // of an own channel, for its OPEN
  uint64_t acked = 0;         // consumed by the peer
  uint64_t sent = 0;          // on this connection, or at its begin wanted by the peer
  bool finished = false;      // nothing more will be written
  bool fin_sent = false;
  bool fin_acked = false;

  // ---- incoming ----
  ByteQueue in = {};  // [consumed, received)
  uint64_t consumed = 0;
  bool fin_received = false;
  uint64_t told = 0;  // the offset that was last sent in an ACK

  // ---- where it waits; each at most once ----
  enum class AckState : uint8_t { kNone, kLater, kDue };
  AckState ack = AckState::kNone;
  bool counted = false;         // among the channels that are open
  bool in_turn = false;         // in the round of those that have something to send
  bool waits_to_write = false;  // Write took less than it was given

  uint64_t written() const { return acked + out.size(); }
  uint64_t received() const { return consumed + in.size(); }
  bool in_finished() const { return fin_received && in.empty(); }
  // Offsets with the FIN counted.
  uint64_t acked_end() const { return acked + (fin_acked ? 1 : 0); }
  uint64_t sent_end() const { return sent + (fin_sent ? 1 : 0); }
  uint64_t received_end() const { return received() + (fin_received ? 1 : 0); }
  uint64_t consumed_end() const { return consumed + (in_finished() ? 1 : 0); }

  bool HasOutput() const { return sent < written() || (finished && !fin_sent); }
  // Both sides have finished and consumed: nothing but the last ACK, perhaps, is to be sent.
  bool Ended() const { return fin_acked && in_finished(); }
  bool Over() const { return Ended() && told == consumed_end() && ack == AckState::kNone; }
  // Bytes [sent, …) for the next DATA frame, as far as they lie in one piece.
  std::string_view Unsent() const { return out.From(sent - acked); }
  // The peer consumed up to `offset`, which lies in [acked_end, sent_end].
  void Acknowledge(uint64_t offset);
};

// How the 8 MiB in flight of one direction are shared. Each channel has a small reserve of its own,
// so that channels whose readers have stopped cannot stop the others; what goes beyond comes from a
// pool, of which each may take as much as it leaves. Control has its window on top.
inline constexpr size_t kInFlightPool = kMaxInFlight / 2;
inline constexpr size_t kInFlightReserve = (kMaxInFlight - kInFlightPool) / (2 * kMaxChannels);
// What `bytes` in flight on one channel take from the pool.
constexpr size_t PoolCharge(size_t bytes) {
  return bytes > kInFlightReserve ? bytes - kInFlightReserve : 0;
}

}  // namespace capsem::wire
