#include "vsock/vhost_channel.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "vsock/testing/fake_qemu.h"

namespace capsem::process {
namespace {

struct Fixture {
  TestLoop loop;
  FakeQemu qemu{loop};
  VhostChannel channel{qemu.TakeDeviceEnd()};
};

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) != -1; }

TEST_CASE("a message comes with its payload and its descriptors") {
  Fixture fixture;
  REQUIRE(!VALUE_OF(fixture.channel.Read()));
  const UniqueFd first(eventfd(0, EFD_CLOEXEC)), second(eventfd(0, EFD_CLOEXEC));
  const uint8_t payload[] = {1, 2, 3};
  fixture.qemu.Send(VhostRequest::kSetMemTable, payload, {first.get(), second.get()}, true);
  fixture.qemu.Send(VhostRequest::kSetOwner, {});
  auto message = VALUE_OF(fixture.channel.Read());
  REQUIRE(message);
  REQUIRE(message->request == VhostRequest::kSetMemTable);
  REQUIRE(message->wants_reply);
  REQUIRE(message->payload == std::vector<uint8_t>{1, 2, 3});
  REQUIRE(message->fds.size() == 2);
  REQUIRE((fcntl(message->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  message = VALUE_OF(fixture.channel.Read());
  REQUIRE(message->request == VhostRequest::kSetOwner);
  REQUIRE(!message->wants_reply);
  REQUIRE(message->fds.empty());
  REQUIRE(!VALUE_OF(fixture.channel.Read()));
}

TEST_CASE("a message that comes byte by byte is the same message") {
  Fixture fixture;
  const uint8_t bytes[] = {3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7, 8};
  for (size_t index = 0; index + 1 < sizeof bytes; ++index) {
    fixture.qemu.SendRaw({bytes + index, 1});
    REQUIRE(!VALUE_OF(fixture.channel.Read()));
  }
  fixture.qemu.SendRaw({bytes + sizeof bytes - 1, 1});
  const auto message = VALUE_OF(fixture.channel.Read());
  REQUIRE(message);
  REQUIRE(message->request == VhostRequest::kSetOwner);
  REQUIRE(message->payload == std::vector<uint8_t>{7, 8});
}

TEST_CASE("an answer has the request's number, the version and the mark of a reply") {
  Fixture fixture;
  const uint8_t payload[] = {9, 9};
  REQUIRE_OK(fixture.channel.Reply(VhostRequest::kGetConfig, payload));
  uint8_t bytes[32];
  REQUIRE(recv(fixture.qemu.socket(), bytes, sizeof bytes, 0) == 14);
  const uint8_t expected[] = {24, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 9, 9};
  REQUIRE(std::memcmp(bytes, expected, sizeof expected) == 0);
}

TEST_CASE("a peer that breaks the format is an error") {
  const struct {
    const char* what;
    uint32_t flags, size;
  } cases[] = {
      {"version 0", 0, 0},
      {"version 2", 2, 0},
      {"a payload larger than any", 1, VhostChannel::kMaxPayload + 1},
      {"a payload larger than memory", 1, 0xffffffff},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    Fixture fixture;
    const uint32_t header[] = {1, c.flags, c.size};
    fixture.qemu.SendRaw({reinterpret_cast<const uint8_t*>(header), sizeof header});
    REQUIRE_CODE(fixture.channel.Read(), kInvalidArgument);
  }
}

TEST_CASE("more descriptors than any message has are refused and closed") {
  Fixture fixture;
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  fixture.qemu.Send(VhostRequest::kSetMemTable, {},
                    std::vector<int>(VhostChannel::kMaxFds + 1, event.get()));
  const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(next >= 0);
  REQUIRE_CODE(fixture.channel.Read(), kInvalidArgument);
  { const VhostChannel ended = std::move(fixture.channel); }
  REQUIRE(!IsOpen(next + 1));
  close(next);
}

TEST_CASE("descriptors are bounded also when they come bit by bit") {
  Fixture fixture;
  const UniqueFd event(eventfd(0, EFD_CLOEXEC));
  // Heads of messages are 12 bytes, so one message can be begun with many small pieces.
  const std::vector<int> fds(VhostChannel::kMaxFds, event.get());
  char control[CMSG_SPACE(VhostChannel::kMaxFds * sizeof(int))] = {};
  uint8_t byte = 1;
  iovec piece = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(part), fds.data(), fds.size() * sizeof(int));
  for (int count = 0; count < 2; ++count) REQUIRE(sendmsg(fixture.qemu.socket(), &message, 0) == 1);
  REQUIRE_CODE(fixture.channel.Read(), kInvalidArgument);
}

TEST_CASE("the end of the peer is told apart from what it does wrong") {
  Fixture fixture;
  fixture.qemu.CloseSocket();
  REQUIRE_CODE(fixture.channel.Read(), kUnavailable);
}

TEST_CASE("a peer that takes no answers is an error, not a wait") {
  Fixture fixture;
  const uint8_t payload[200] = {};
  Status status;
  for (int count = 0; count < 100000 && status.ok(); ++count)
    status = fixture.channel.Reply(VhostRequest::kGetConfig, payload);
  REQUIRE(!status.ok());
}

}  // namespace
}  // namespace capsem::process
