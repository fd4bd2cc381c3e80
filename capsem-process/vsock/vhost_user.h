// The device's side of the vhost-user protocol: features, the guest's memory, and two rings that
// QEMU sets up, starts, pauses and stops by messages. Tells its owner (VsockDevice) when both rings
// run and when they do not; what is in the rings is the owner's business. On the loop.
//
//   SET_FEATURES, SET_MEM_TABLE, per ring: NUM, BASE, ADDR, KICK, CALL, then ENABLE ──▶ on_start
//   ENABLE 0 or GET_VRING_BASE of either ring                                       ──▶ on_stop
//
// Pause and reset look alike here: both end in GET_VRING_BASE. The next start tells: a driver that
// begins anew sets both bases to 0, a machine that goes on sets what we answered.
// Messages come from QEMU, which a guest may have broken: whatever is not by the protocol is an
// error that ends this object (on_lost), and nothing else.
#pragma once

#include <absl/functional/any_invocable.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/fd_watch.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "vsock/guest_memory.h"
#include "vsock/memory_mapping.h"
#include "vsock/vhost_channel.h"
#include "vsock/virtqueue.h"

namespace capsem::process {

class VhostUser {
 public:
  // By the numbers of the vsock device; its third queue, for events, stays in QEMU.
  static constexpr size_t kRings = 2;
  enum class Start { kFresh, kResumed };

  struct Events {
    absl::AnyInvocable<void(Start)> on_start;
    absl::AnyInvocable<void()> on_stop;
    absl::AnyInvocable<void(size_t ring)> on_kick;
    // Once, and the last event. Must not destroy this object.
    absl::AnyInvocable<void(Status)> on_lost;
  };

  VhostUser(Loop& loop, UniqueFd socket, uint64_t guest_cid, Events events);
  VhostUser(const VhostUser&) = delete;
  VhostUser& operator=(const VhostUser&) = delete;

  const GuestMemory& memory() const { return memory_; }
  // Between on_start and on_stop.
  Virtqueue& queue(size_t ring) { return *rings_[ring].queue; }
  // Interrupts the guest for this ring.
  void Interrupt(size_t ring);
  // No event comes any more.
  void Close();

 private:
  struct Ring {
    struct Places {
      uint64_t descriptors, used, available;  // in QEMU's address space
    };
    uint16_t size = 0;
    std::optional<Places> places;
    uint16_t base = 0;         // where to go on, while the queue does not run
    bool begins_anew = false;  // told to go on at 0 since it was stopped
    bool enabled = false;
    UniqueFd kick, call;
    std::unique_ptr<FdWatch> watch;  // of kick; after it: destroyed first
    std::optional<Virtqueue> queue;  // while both rings run
  };

  void OnReadable();
  Status Handle(VhostMessage& message);
  Status Dispatch(VhostMessage& message, bool& replied);
  void Lose(Status status);

  Status SetFeatures(const VhostMessage& message);
  Status SetProtocolFeatures(const VhostMessage& message);
  Status SetMemTable(const VhostMessage& message);
  Status SetVringNum(const VhostMessage& message);
  Status SetVringAddr(const VhostMessage& message);
  Status SetVringBase(const VhostMessage& message);
  Status GetVringBase(const VhostMessage& message);
  Status SetVringKick(VhostMessage& message);
  Status SetVringCall(VhostMessage& message);
  Status SetVringEnable(const VhostMessage& message);
  Status GetConfig(const VhostMessage& message);
  Status SetStatus(const VhostMessage& message);

  // Both rings are ready and enabled: makes their queues and says so.
  Status StartWhenReady();
  Status MakeQueue(Ring& ring);
  void StopRunning();
  bool running() const { return rings_[0].queue.has_value(); }
  void OnKick(size_t ring);

  VhostChannel channel_;
  const uint64_t guest_cid_;
  Events events_;
  uint64_t features_ = 0;
  uint64_t protocol_features_ = 0;
  uint64_t status_ = 0;
  std::vector<MemoryMapping> mappings_;
  GuestMemory memory_;
  std::array<Ring, kRings> rings_;
  Loop& loop_;
  std::optional<FdWatch> watch_;  // of the channel; empty once lost
};

}  // namespace capsem::process
