#include "vsock/vsock_device.h"

#include <sys/socket.h>

#include <map>
#include <string>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "vsock/testing/fake_qemu.h"

namespace capsem::process {
namespace {

constexpr uint32_t kPort = 1000;

// QEMU and a guest on one side, the accepted sockets on the other, and the device between them.
struct Fixture {
  Fixture() { Plug(); }
  void Plug() {
    hosts.clear();
    qemu.emplace(loop);
    auto created = VsockDevice::Create(loop, qemu->TakeDeviceEnd(),
                                       {.accept =
                                            [this](uint32_t, uint32_t guest_port) {
                                              auto [mine, theirs] = VALUE_OF(SocketPair());
                                              hosts[guest_port] = std::move(mine);
                                              return std::move(theirs);
                                            },
                                        .on_lost =
                                            [this](Status status) {
                                              lost = std::move(status);
                                              ++losses;
                                              if (destroy_when_lost) device.reset();
                                            }});
    device = VALUE_OF(std::move(created));
    qemu->Negotiate();
    qemu->Start(0, 0);
  }
  void Send(const VsockHeader& header, std::string_view payload = {}) {
    qemu->driver().Send(header, payload);
    qemu->Kick(1);
  }
  void Dial() {
    qemu->driver().AddReceiveBuffers(4);
    qemu->Kick(0);
    Send(GuestDriver::Header(VsockOp::kRequest, kPort));
    REQUIRE(Receive().header.op == VsockOp::kResponse);
  }
  GuestDriver::Packet Receive() {
    std::optional<GuestDriver::Packet> packet;
    const auto arrived = [&] {
      if (!packet) packet = qemu->driver().Receive();
      return packet.has_value();
    };
    REQUIRE(loop.RunUntil(arrived));
    return *packet;
  }
  void Say(std::string_view text) {
    Send(GuestDriver::Header(VsockOp::kData, kPort, static_cast<uint32_t>(text.size())), text);
  }
  // What the host's end has now; nothing when its stream has ended.
  std::optional<std::string> Hear() {
    loop.RunReady();
    char text[64];
    const ssize_t count = recv(hosts.at(kPort).get(), text, sizeof text, MSG_DONTWAIT);
    REQUIRE(count >= 0);
    if (count == 0) return std::nullopt;
    return std::string(text, static_cast<size_t>(count));
  }
  TestLoop loop;
  std::optional<FakeQemu> qemu;
  std::map<uint32_t, UniqueFd> hosts;
  Status lost;
  int losses = 0;
  bool destroy_when_lost = false;
  std::unique_ptr<VsockDevice> device;
};

TEST_CASE("a guest and the host talk through QEMU's rings") {
  Fixture fixture;
  fixture.Dial();
  fixture.Say("ping");
  REQUIRE(fixture.Hear() == "ping");
  REQUIRE(send(fixture.hosts.at(kPort).get(), "pong", 4, 0) == 4);
  REQUIRE(fixture.Receive().payload == "pong");
  REQUIRE(fixture.qemu->TakeInterrupt(0));
  bool told = false;  // by and by
  REQUIRE(fixture.loop.RunUntil([&] { return told = told || fixture.qemu->TakeInterrupt(1); }));
}

TEST_CASE("a connection outlives a pause of the machine") {
  Fixture fixture;
  fixture.Dial();
  const auto bases = fixture.qemu->Stop();
  REQUIRE(send(fixture.hosts.at(kPort).get(), "morning", 7, 0) == 7);
  fixture.qemu->Start(bases.first, bases.second);
  REQUIRE(fixture.Receive().payload == "morning");
  fixture.Say("good morning");
  REQUIRE(fixture.Hear() == "good morning");
}

TEST_CASE("a reset of the machine drops every connection, and it may dial anew") {
  Fixture fixture;
  fixture.Dial();
  fixture.qemu->Stop();
  fixture.qemu->driver().Reset();
  fixture.qemu->Start(0, 0);
  REQUIRE(!fixture.Hear());
  fixture.Dial();
  fixture.Say("again");
  REQUIRE(fixture.Hear() == "again");
}

TEST_CASE("a device can be made and destroyed for every plug") {
  Fixture fixture;
  for (int plug = 0; plug < 20; ++plug) {
    INFO(plug);
    fixture.Dial();
    fixture.Say("hello");
    REQUIRE(fixture.Hear() == "hello");
    fixture.device.reset();
    REQUIRE(!fixture.Hear());
    fixture.Plug();
  }
  REQUIRE(fixture.losses == 0);
}

TEST_CASE("a hostile ring ends the device, and its connections with it") {
  Fixture fixture;
  fixture.destroy_when_lost = GENERATE(false, true);
  fixture.Dial();
  fixture.qemu->driver().from_guest().SetAvailableIndex(999);
  fixture.qemu->Kick(1);
  REQUIRE(fixture.losses == 1);
  REQUIRE_CODE(fixture.lost, kInvalidArgument);
  REQUIRE(!fixture.Hear());
  fixture.qemu->Kick(1);
  fixture.qemu->CloseSocket();
  fixture.loop.RunReady();
  REQUIRE(fixture.losses == 1);
}

TEST_CASE("rings that are hostile from the start end the device, too") {
  Fixture fixture;
  fixture.qemu->Stop();
  fixture.qemu->driver().from_guest().SetAvailableIndex(999);
  fixture.qemu->Start(0, 0);
  REQUIRE(fixture.losses == 1);
}

TEST_CASE("QEMU's end is told once, and closes the connections") {
  Fixture fixture;
  fixture.destroy_when_lost = GENERATE(false, true);
  fixture.Dial();
  fixture.qemu->CloseSocket();
  REQUIRE(fixture.loop.RunUntil([&] { return fixture.losses == 1; }));
  REQUIRE_CODE(fixture.lost, kUnavailable);
  REQUIRE(!fixture.Hear());
}

TEST_CASE("a device that is destroyed with its loss on the way tells nobody") {
  Fixture fixture;
  fixture.qemu->CloseSocket();
  uv_run(fixture.loop.uv(), UV_RUN_NOWAIT);
  fixture.device.reset();
  fixture.loop.RunReady();
  REQUIRE(fixture.losses <= 1);
}

TEST_CASE("what is not a stream socket is refused") {
  TestLoop loop;
  REQUIRE(!VsockDevice::Create(loop, UniqueFd(), {}).ok());
  REQUIRE_CODE(
      VsockDevice::Create(loop, UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), {}),
      kInvalidArgument);
}

}  // namespace
}  // namespace capsem::process
