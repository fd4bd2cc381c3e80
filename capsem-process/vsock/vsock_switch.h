// The inside of the vsock device: packets in two rings on one side, stream sockets on the other.
//
//   from_guest ring ──▶ header ──▶ VsockConnection (rules) ──▶ VsockStream ──▶ host
//   to_guest ring  ◀── header + payload ◀── VsockConnection ◀── VsockStream ◀── host
//
// Both ways payload goes between the guest's buffers and the socket in one system call, without a
// copy of ours. A buffer of the guest is given back only after its bytes are used. Work is bounded:
// a callback takes a limited number of packets and leaves the rest to the next turn of the loop, so
// that a guest that never stops cannot keep the loop. What is wrong with a connection resets that
// connection; what is wrong with a ring, or a length in it, breaks the device (on_broken).
// Owned by VsockDevice, on the loop.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>

#include "base/loop.h"
#include "base/status.h"
#include "base/timer.h"
#include "base/unique_fd.h"
#include "base/weak.h"
#include "vsock/packet_buffer.h"
#include "vsock/virtqueue.h"
#include "vsock/vsock_connection.h"
#include "vsock/vsock_stream.h"

namespace capsem::process {

class VsockSwitch {
 public:
  static constexpr size_t kMaxConnections = 64;
  // Packets per turn of the loop and direction. Up to 4 MiB from the guest: a millisecond or two.
  static constexpr size_t kPacketsPerTurn = 64;
  // Answers to packets of no connection that wait for buffers; more wait in the guest's ring.
  static constexpr size_t kMaxResets = 64;
  // The guest is told at once of so many packets that it gets back, of fewer by and by: it only
  // frees them then, and an interrupt costs an emulated machine 0.2 ms. The ring holds 128; a
  // packet of Linux has 64 KiB.
  static constexpr size_t kReturnedAtOnce = 16;
  static constexpr std::chrono::milliseconds kReturnedLater{20};

  struct Rings {
    const GuestMemory* memory;
    Virtqueue* to_guest;
    Virtqueue* from_guest;
  };
  enum class Ring { kToGuest, kFromGuest };

  struct Config {
    uint64_t guest_cid = 0;
    // A connected stream socket for a connection that the guest asks for; invalid refuses it.
    absl::AnyInvocable<UniqueFd(uint32_t host_port, uint32_t guest_port)> accept;
    // The guest wants to be told of what was put into this ring.
    absl::AnyInvocable<void(Ring)> interrupt;
    // Once; the rings are not touched after it. Must not destroy this object.
    absl::AnyInvocable<void(Status)> on_broken;
  };

  VsockSwitch(Loop& loop, Config config);
  VsockSwitch(const VsockSwitch&) = delete;
  VsockSwitch& operator=(const VsockSwitch&) = delete;

  // The rings run from now on; what they point to stays until Stop.
  void Start(const Rings& rings);
  // The connections stay and wait for the next Start.
  void Stop();
  // For a driver that begins anew, and at the end of all.
  void DropConnections();
  void OnKick(Ring ring);

 private:
  struct Key {
    uint32_t host_port;
    uint32_t guest_port;
    auto operator<=>(const Key&) const = default;
  };
  struct Bridge {
    Bridge(const VsockHeader& request, Loop& loop, UniqueFd fd,
           absl::AnyInvocable<void(int events)> ready)
        : connection(request), stream(loop, std::move(fd), std::move(ready)) {}
    VsockConnection connection;
    VsockStream stream;
  };
  using Bridges = std::map<Key, Bridge>;

  bool running() const { return rings_.memory != nullptr; }
  void Turn();
  void PostTurn();
  void OnStream(Key key, int events);
  // What every entry ends with: answers, used rings, interrupts, watches; or the break.
  void Finish(Status status);
  Status Answer();
  void TellReturned();
  void Break(Status status);

  // From the guest. True: there may be more.
  StatusOr<bool> TakeFromGuest();
  Status OnChain();
  void Accept(const VsockHeader& request);
  void Refuse(const VsockHeader& packet);
  void Deliver(Bridge& bridge, std::span<iovec> payload);

  // To the guest. False: it has no buffer for us now.
  StatusOr<bool> TakeGuestBuffer();
  StatusOr<bool> SendHeader(const VsockHeader& header);
  Status SendOwed();
  Status Pump(Bridge& bridge);

  // Follows what the rules say now; answers with the next one, as this one may be over.
  Bridges::iterator Settle(Bridges::iterator bridge);

  Loop& loop_;
  Config config_;
  Rings rings_ = {};
  Bridges bridges_;
  std::deque<VsockHeader> resets_;
  DescriptorChain chain_;
  PacketBuffer buffer_;
  size_t returned_ = 0;         // packets that the guest has got back and not been told of
  bool returned_owed_ = false;  // the guest wants to hear of them
  Timer returned_timer_;
  bool starved_ = false;  // the guest has no buffers for us, and a kick will say when it has
  bool turn_posted_ = false;
  bool broken_ = false;
  WeakOwner<VsockSwitch> weak_{this};
};

}  // namespace capsem::process
