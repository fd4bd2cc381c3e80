#include "vsock/testing/fake_qemu.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"

namespace capsem::process {
namespace {

// The size of a memory table with one region, and of SET_VRING_ADDR.
struct Table {
  uint32_t regions, padding;
  uint64_t guest_address, size, user_address, offset;
};
struct Places {
  uint32_t ring, flags;
  uint64_t descriptors, used, available, log;
};

template <typename T>
std::span<const uint8_t> BytesOf(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

}  // namespace

FakeQemu::FakeQemu(TestLoop& loop) : loop_(loop) {
  auto [mine, device] = VALUE_OF(SocketPair());
  socket_ = std::move(mine);
  device_end_ = std::move(device);
  memory_fd_.Reset(memfd_create("guest", MFD_CLOEXEC));
  REQUIRE(ftruncate(memory_fd_.get(), GuestDriver::kMemorySize) == 0);
  memory_.emplace(VALUE_OF(MemoryMapping::Create(memory_fd_, 0, GuestDriver::kMemorySize)));
  driver_.emplace(memory_->bytes());
}

void FakeQemu::Send(VhostRequest request, std::span<const uint8_t> payload, std::vector<int> fds,
                    bool wants_reply) {
  const uint32_t header[] = {static_cast<uint32_t>(request), wants_reply ? 9u : 1u,
                             static_cast<uint32_t>(payload.size())};
  iovec pieces[] = {{const_cast<uint32_t*>(header), sizeof header},
                    {const_cast<uint8_t*>(payload.data()), payload.size()}};
  char control[CMSG_SPACE(64 * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(part), fds.data(), fds.size() * sizeof(int));
  }
  REQUIRE(sendmsg(socket_.get(), &message, MSG_NOSIGNAL) ==
          static_cast<ssize_t>(sizeof header + payload.size()));
}

void FakeQemu::SendU64(VhostRequest request, uint64_t value, std::vector<int> fds) {
  Send(request, BytesOf(value), std::move(fds));
}

void FakeQemu::SendState(VhostRequest request, uint32_t ring, uint32_t value) {
  const uint32_t state[] = {ring, value};
  Send(request, BytesOf(state));
}

void FakeQemu::SendRaw(std::span<const uint8_t> bytes) {
  REQUIRE(send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
}

std::string FakeQemu::Answer() {
  pollfd wait = {socket_.get(), POLLIN, 0};
  REQUIRE(loop_.RunUntil([&] { return poll(&wait, 1, 0) == 1; }));
  uint32_t header[3] = {};
  REQUIRE(recv(socket_.get(), header, sizeof header, MSG_WAITALL) == sizeof header);
  REQUIRE(header[1] == 5);  // version 1, a reply
  std::string payload(header[2], '\0');
  if (!payload.empty())
    REQUIRE(recv(socket_.get(), payload.data(), payload.size(), MSG_WAITALL) ==
            static_cast<ssize_t>(payload.size()));
  return payload;
}

uint64_t FakeQemu::AnswerU64() {
  const std::string payload = Answer();
  uint64_t value;
  REQUIRE(payload.size() == sizeof value);
  std::memcpy(&value, payload.data(), sizeof value);
  return value;
}

uint32_t FakeQemu::AnswerState() {
  const std::string payload = Answer();
  uint32_t state[2];
  REQUIRE(payload.size() == sizeof state);
  std::memcpy(state, payload.data(), sizeof state);
  return state[1];
}

void FakeQemu::Negotiate() {
  Send(VhostRequest::kGetFeatures, {});
  REQUIRE((AnswerU64() & kFeatures) == kFeatures);
  Send(VhostRequest::kGetProtocolFeatures, {});
  REQUIRE((AnswerU64() & kProtocolFeatures) == kProtocolFeatures);
  SendU64(VhostRequest::kSetProtocolFeatures, kProtocolFeatures);
  Send(VhostRequest::kSetOwner, {});
  SendU64(VhostRequest::kSetFeatures, kFeatures);
}

void FakeQemu::SendMemory(bool wants_reply) {
  const Table table = {1, 0, GuestDriver::kBase, GuestDriver::kMemorySize, kUserBase, 0};
  Send(VhostRequest::kSetMemTable, BytesOf(table), {memory_fd_.get()}, wants_reply);
}

void FakeQemu::SetUpRing(uint32_t ring, uint32_t base) {
  const Virtqueue::Layout& layout =
      (ring == 0 ? driver_->to_guest() : driver_->from_guest()).layout();
  const auto user = [](uint64_t address) { return address - GuestDriver::kBase + kUserBase; };
  SendState(VhostRequest::kSetVringNum, ring, layout.size);
  SendState(VhostRequest::kSetVringBase, ring, base);
  const Places places = {
      ring, 0, user(layout.descriptors), user(layout.used), user(layout.available), 0};
  Send(VhostRequest::kSetVringAddr, BytesOf(places));
  kicks_[ring].Reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  calls_[ring].Reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  SendU64(VhostRequest::kSetVringKick, ring, {kicks_[ring].get()});
  SendU64(VhostRequest::kSetVringCall, ring, {calls_[ring].get()});
}

void FakeQemu::Enable(uint32_t enabled) {
  SendState(VhostRequest::kSetVringEnable, 0, enabled);
  SendState(VhostRequest::kSetVringEnable, 1, enabled);
}

void FakeQemu::Start(uint32_t to_guest_base, uint32_t from_guest_base) {
  SendMemory();
  SetUpRing(0, to_guest_base);
  SetUpRing(1, from_guest_base);
  Enable(1);
  loop_.RunReady();
}

std::pair<uint32_t, uint32_t> FakeQemu::Stop() {
  Enable(0);
  SendState(VhostRequest::kGetVringBase, 0, 0);
  const uint32_t to_guest = AnswerState();
  SendState(VhostRequest::kGetVringBase, 1, 0);
  return {to_guest, AnswerState()};
}

void FakeQemu::Kick(uint32_t ring) {
  const uint64_t one = 1;
  REQUIRE(write(kicks_[ring].get(), &one, sizeof one) == sizeof one);
  loop_.RunReady();
}

bool FakeQemu::TakeInterrupt(uint32_t ring) {
  uint64_t count;
  return read(calls_[ring].get(), &count, sizeof count) == sizeof count;
}

}  // namespace capsem::process
