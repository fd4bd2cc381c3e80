// Length-prefixed frames over a byte stream: {u32 little-endian payload length, u8 kind, payload}.
// Pure and incremental: bytes in, a frame or a reason out; a length is checked before anything is
// done with it. Handshake and control frames carry protobuf (kind kMessage); channels of commands
// and of files carry the others (guest.proto).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace capsem::wire {

enum class FrameKind : uint8_t {
  kMessage = 0,
  kExecStart = 1,
  kExecStdin = 2,
  kExecStdinEof = 3,
  kExecStarted = 4,
  kExecStdout = 5,
  kExecStderr = 6,
  kExecExit = 7,
  kFileRequest = 8,
  kFileData = 9,
  kFileCommit = 10,
  kFileInfo = 11,
  kFileEntries = 12,
  kFileEnd = 13,
  kExecResize = 14,
};
inline constexpr size_t kFrameHeader = 5;

struct Frame {
  FrameKind kind;
  std::string_view payload;  // into the bytes that were parsed
  size_t size;               // of header and payload: what to drop from the front
};

// The first frame of `bytes`; nullopt when it is not whole yet. InvalidArgument: a payload over
// `max_payload`, or an unknown kind; the stream cannot be read any further then.
StatusOr<std::optional<Frame>> ParseFrame(std::string_view bytes, size_t max_payload);
// What comes before a payload of that many bytes.
std::array<char, kFrameHeader> FrameHeader(FrameKind kind, size_t payload);
void AppendFrame(std::string& out, FrameKind kind, std::string_view payload);
std::string EncodeFrame(FrameKind kind, std::string_view payload);

// Collects frames that may be larger than what one channel may hold unconsumed (kExecStart, control
// frames): Feed takes over what was readable, so the bytes can be consumed at once. For the guest's
// end, whose memory is saved whole. The host's end parses Readable() in place and consumes frame by
// frame, so that nothing acknowledged is lost with the process.
class FrameReader {
 public:
  explicit FrameReader(size_t max_payload) : max_payload_(max_payload) {}
  // Holds at most what is fed: call Next until it has nothing before feeding more.
  void Feed(std::string_view bytes);
  // As ParseFrame; the payload is valid until the next Feed. An error stays.
  StatusOr<std::optional<Frame>> Next();
  size_t buffered() const { return bytes_.size() - start_; }

 private:
  const size_t max_payload_;
  std::string bytes_;
  size_t start_ = 0;  // of what Next has not handed out yet
};

}  // namespace capsem::wire
