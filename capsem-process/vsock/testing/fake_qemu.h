// QEMU's side of the vhost-user socket, for tests: sends messages in the order seen from QEMU 7.2
// and 10.0, or any other. The guest's memory is a memfd that a GuestDriver fills.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/testing/test_loop.h"
#include "base/unique_fd.h"
#include "vsock/memory_mapping.h"
#include "vsock/testing/guest_driver.h"
#include "vsock/vhost_channel.h"

namespace capsem::process {

class FakeQemu {
 public:
  // QEMU's own addresses of the guest's memory: any, but different from the guest's.
  static constexpr uint64_t kUserBase = 0x7f0000000000;
  static constexpr uint64_t kFeatures = 0x170000000;
  static constexpr uint64_t kProtocolFeatures = 0x10208;

  explicit FakeQemu(TestLoop& loop);

  // The device's end of the socket; once.
  UniqueFd TakeDeviceEnd() { return std::move(device_end_); }
  void CloseSocket() { socket_.Reset(); }

  void Send(VhostRequest request, std::span<const uint8_t> payload, std::vector<int> fds = {},
            bool wants_reply = false);
  void SendU64(VhostRequest request, uint64_t value, std::vector<int> fds = {});
  void SendState(VhostRequest request, uint32_t ring, uint32_t value);
  void SendRaw(std::span<const uint8_t> bytes);
  // Runs the loop until an answer came, and gives its payload; fails the test if none comes.
  std::string Answer();
  uint64_t AnswerU64();
  // A u32 pair's second half: GET_VRING_BASE's answer.
  uint32_t AnswerState();

  // The steps of a plug and of a start, as QEMU takes them.
  void Negotiate();
  void SendMemory(bool wants_reply = false);
  void SetUpRing(uint32_t ring, uint32_t base);
  void Enable(uint32_t enabled);
  void Start(uint32_t to_guest_base, uint32_t from_guest_base);
  // The bases where the rings stopped.
  std::pair<uint32_t, uint32_t> Stop();
  void Kick(uint32_t ring);
  // Whether the device has interrupted the guest since the last call.
  bool TakeInterrupt(uint32_t ring);

  GuestDriver& driver() { return *driver_; }
  int memory_fd() const { return memory_fd_.get(); }
  int socket() const { return socket_.get(); }

 private:
  TestLoop& loop_;
  UniqueFd socket_, device_end_, memory_fd_;
  std::optional<MemoryMapping> memory_;
  std::optional<GuestDriver> driver_;
  UniqueFd kicks_[2], calls_[2];
};

}  // namespace capsem::process
