// Messages of the vhost-user protocol over a Unix stream socket, with the descriptors that travel
// with them. Never blocks, and every length is bounded: a peer that breaks the format is an error,
// which is for good. No loop: the owner watches fd() and calls Read when it is readable.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::process {

// The messages that we know (QEMU's docs/interop/vhost-user), by their numbers there.
enum class VhostRequest : uint32_t {
  kGetFeatures = 1,
  kSetFeatures = 2,
  kSetOwner = 3,
  kSetMemTable = 5,
  kSetVringNum = 8,
  kSetVringAddr = 9,
  kSetVringBase = 10,
  kGetVringBase = 11,
  kSetVringKick = 12,
  kSetVringCall = 13,
  kSetVringErr = 14,
  kGetProtocolFeatures = 15,
  kSetProtocolFeatures = 16,
  kSetVringEnable = 18,
  kGetConfig = 24,
  kSetStatus = 39,
  kGetStatus = 40,
};

struct VhostMessage {
  VhostRequest request{};
  bool wants_reply = false;  // also when the message has no answer of its own
  std::vector<uint8_t> payload;
  std::vector<UniqueFd> fds;
};

class VhostChannel {
 public:
  // The largest message that we know: a memory table of 8 regions, or a configuration space of 256.
  static constexpr uint32_t kMaxPayload = 12 + 256 + 8;
  // One per region of a memory table.
  static constexpr size_t kMaxFds = 8;

  explicit VhostChannel(UniqueFd socket) : socket_(std::move(socket)) {}

  // The next message, or nothing until more has come. Unavailable: the peer has closed its end.
  StatusOr<std::optional<VhostMessage>> Read();
  // The peer waits for each answer, so there is always room for it; if not, that is an error.
  Status Reply(VhostRequest request, std::span<const uint8_t> payload);

  int fd() const { return socket_.get(); }

 private:
  struct Header {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
  };
  // True when `part` is full.
  StatusOr<bool> Fill(std::span<uint8_t> part, size_t& filled);
  Status CheckHeader() const;
  void TakeFds(msghdr& message);

  UniqueFd socket_;
  Header header_ = {};
  size_t header_filled_ = 0;
  std::array<uint8_t, kMaxPayload> payload_;
  size_t payload_filled_ = 0;
  std::vector<UniqueFd> fds_;
};

}  // namespace capsem::process
