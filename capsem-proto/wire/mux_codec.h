// The multiplexer's frames as bytes: {u32 channel, u8 type, u8 kind, u16 0, u32 length} + payload,
// little-endian. Internal to wire/mux. Everything that a header can say wrong is refused here,
// before any of its payload is looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "wire/limits.h"

namespace capsem::wire {

enum class MuxType : uint8_t {
  kOpen = 1,   // payload = metadata; the header's kind is the channel's
  kData = 2,   // 1 byte at least
  kFin = 3,    // empty
  kReset = 4,  // u32 reason
  kAck = 5,    // u64: offset of what has been consumed; the FIN counts as one byte after the last
  kPing = 6,   // u64, channel 0
  kPong = 7,   // u64, channel 0
};

struct MuxFrame {
  MuxType type;
  uint8_t kind;
  uint32_t channel;
  std::string_view payload;  // of kData: a piece, which may be less than the frame's
  // The number in the payload of kReset, kAck, kPing and kPong.
  uint64_t Number() const;
};

// Incremental: holds at most a header and one payload that is not kData. DATA is handed on piece by
// piece as it comes, and never stored.
class MuxDecoder {
 public:
  // The next frame or piece, taken off the front of `bytes`; nullopt when more bytes are needed.
  // Valid until the next call. After an error the stream cannot be read any further.
  StatusOr<std::optional<MuxFrame>> Next(std::string_view& bytes);
  // A new connection begins.
  void Reset();

 private:
  struct Header {
    MuxType type;
    uint8_t kind;
    uint32_t channel;
    uint32_t length;
  };
  static StatusOr<Header> ParseHeader(std::string_view bytes);

  std::string head_;              // what there is of the next header
  std::optional<Header> header_;  // of the frame whose payload is coming
  std::string payload_;   // what there is of it; of the frame handed out, until the next one
  size_t data_left_ = 0;  // of a DATA frame, still to be handed on
};

void AppendMuxHeader(std::string& out, MuxType type, uint8_t kind, uint32_t channel, size_t length);
void AppendMuxNumber(std::string& out, MuxType type, uint32_t channel, uint64_t number);

}  // namespace capsem::wire
