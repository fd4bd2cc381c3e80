#include "vsock/vsock_switch.h"

#include <sys/socket.h>

#include <functional>
#include <map>
#include <string>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"
#include "vsock/testing/guest_driver.h"

namespace capsem::process {
namespace {

using Ring = VsockSwitch::Ring;

constexpr uint32_t kPort = 1000;

// A driver in plain memory on one side, the other ends of the accepted sockets on the other.
struct Fixture {
  Fixture() {
    const GuestMemory::Region region = {GuestDriver::kBase, 0, bytes};
    REQUIRE_OK(memory.Reset({&region, 1}));
    device.emplace(
        loop, VsockSwitch::Config{
                  .guest_cid = GuestDriver::kGuestCid,
                  .accept = [this](uint32_t host_port,
                                   uint32_t guest_port) { return Accept(host_port, guest_port); },
                  .interrupt = [this](Ring ring) { ++interrupts[ring]; },
                  .on_broken = [this](Status status) { broken = std::move(status); },
              });
    Start();
  }
  UniqueFd Accept(uint32_t host_port, uint32_t guest_port) {
    if (host_port != GuestDriver::kHostPort) return UniqueFd();
    auto [mine, theirs] = VALUE_OF(SocketPair());
    hosts[guest_port] = std::move(mine);
    on_accept();
    return std::move(theirs);
  }
  void Start() {
    to_guest.emplace(VALUE_OF(Virtqueue::Create(memory, driver.to_guest().layout(), base[0])));
    from_guest.emplace(VALUE_OF(Virtqueue::Create(memory, driver.from_guest().layout(), base[1])));
    device->Start({&memory, &*to_guest, &*from_guest});
  }
  void Stop() {
    device->Stop();
    base[0] = to_guest->next_available();
    base[1] = from_guest->next_available();
    to_guest.reset();
    from_guest.reset();
  }
  void Send(const VsockHeader& header, std::string_view payload = {}) {
    driver.Send(header, payload);
    device->OnKick(Ring::kFromGuest);
    loop.RunReady();
  }
  void Send(VsockOp op, uint32_t port = kPort) { Send(GuestDriver::Header(op, port)); }
  void SendData(std::string_view payload, uint32_t port = kPort) {
    Send(GuestDriver::Header(VsockOp::kData, port, static_cast<uint32_t>(payload.size())), payload);
  }
  void AddReceiveBuffers(size_t count) {
    driver.AddReceiveBuffers(count);
    device->OnKick(Ring::kToGuest);
    loop.RunReady();
  }
  // The next packet to the guest; its operation must be this.
  GuestDriver::Packet Expect(VsockOp op) {
    loop.RunReady();
    const auto packet = driver.Receive();
    REQUIRE(packet);
    REQUIRE(packet->header.op == op);
    return *packet;
  }
  void ExpectNothing() {
    loop.RunReady();
    REQUIRE(!driver.Receive());
  }
  void Dial(uint32_t port = kPort) {
    Send(VsockOp::kRequest, port);
    Expect(VsockOp::kResponse);
  }
  std::string ReadHost(uint32_t port = kPort) {
    loop.RunReady();
    std::string all(1 << 20, '\0');
    const ssize_t count = recv(hosts.at(port).get(), all.data(), all.size(), MSG_DONTWAIT);
    REQUIRE(count >= 0);
    all.resize(static_cast<size_t>(count));
    return all;
  }
  void WriteHost(std::string_view text, uint32_t port = kPort) {
    REQUIRE(send(hosts.at(port).get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
    loop.RunReady();
  }

  alignas(4096) std::vector<uint8_t> bytes = std::vector<uint8_t>(GuestDriver::kMemorySize);
  GuestMemory memory;
  GuestDriver driver{bytes};
  TestLoop loop;
  std::optional<Virtqueue> to_guest, from_guest;
  std::map<uint32_t, UniqueFd> hosts;
  std::map<Ring, int> interrupts;
  std::function<void()> on_accept = [] {};
  uint16_t base[2] = {0, 0};
  Status broken;
  std::optional<VsockSwitch> device;
};

TEST_CASE("a connection carries bytes both ways") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  fixture.Dial();
  fixture.SendData("from the guest");
  REQUIRE(fixture.ReadHost() == "from the guest");
  fixture.WriteHost("from the host");
  const auto packet = fixture.Expect(VsockOp::kData);
  REQUIRE(packet.payload == "from the host");
  REQUIRE(packet.header.length == 13);
  REQUIRE(packet.header.forwarded == 14);
  REQUIRE(packet.header.source_port == GuestDriver::kHostPort);
  REQUIRE(packet.header.destination_port == kPort);
  REQUIRE(fixture.driver.from_guest().used_index() == 2);
  REQUIRE(fixture.interrupts[Ring::kToGuest] > 0);
}

TEST_CASE("the guest hears of the packets it gets back: of many at once, of few by and by") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  const int& told = fixture.interrupts[Ring::kFromGuest];
  SECTION("few") {
    fixture.driver.Send(GuestDriver::Header(VsockOp::kRequest, kPort));
    fixture.device->OnKick(Ring::kFromGuest);
    REQUIRE(told == 0);
    REQUIRE(fixture.loop.RunUntil([&] { return told == 1; }));
  }
  SECTION("many") {
    for (size_t i = 0; i < VsockSwitch::kReturnedAtOnce; ++i)
      fixture.driver.Send(GuestDriver::Header(VsockOp::kReset, kPort));
    fixture.device->OnKick(Ring::kFromGuest);
    REQUIRE(told == 1);
  }
  SECTION("before the rings stop") {
    fixture.driver.Send(GuestDriver::Header(VsockOp::kRequest, kPort));
    fixture.device->OnKick(Ring::kFromGuest);
    fixture.Stop();
    REQUIRE(told == 1);
  }
}

TEST_CASE("what was put into the rings before the start is served by the start") {
  Fixture fixture;
  fixture.Stop();
  fixture.driver.AddReceiveBuffers(2);
  fixture.driver.Send(GuestDriver::Header(VsockOp::kRequest, kPort));
  fixture.Start();
  fixture.Expect(VsockOp::kResponse);
}

TEST_CASE("packets that no connection takes are answered with a reset") {
  auto wrong_type = GuestDriver::Header(VsockOp::kRequest, kPort);
  wrong_type.type = 2;
  auto wrong_source = GuestDriver::Header(VsockOp::kRequest, kPort);
  wrong_source.source_cid = 4;
  auto wrong_destination = GuestDriver::Header(VsockOp::kRequest, kPort);
  wrong_destination.destination_cid = 1;
  auto wrong_port = GuestDriver::Header(VsockOp::kRequest, kPort);
  wrong_port.destination_port = 5001;
  const struct {
    const char* what;
    VsockHeader packet;
  } cases[] = {
      {"another type of socket", wrong_type},
      {"a foreign source", wrong_source},
      {"another destination", wrong_destination},
      {"a port that is refused", wrong_port},
      {"data of no connection", GuestDriver::Header(VsockOp::kData, kPort)},
      {"an end of no connection", GuestDriver::Header(VsockOp::kShutdown, kPort)},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    Fixture fixture;
    fixture.AddReceiveBuffers(2);
    fixture.Send(c.packet);
    const auto reset = fixture.Expect(VsockOp::kReset).header;
    REQUIRE(reset.source_cid == c.packet.destination_cid);
    REQUIRE(reset.destination_cid == c.packet.source_cid);
    REQUIRE(reset.source_port == c.packet.destination_port);
    REQUIRE(reset.destination_port == c.packet.source_port);
    REQUIRE(reset.type == c.packet.type);
    REQUIRE(fixture.hosts.empty());
  }
}

TEST_CASE("a reset is never answered") {
  Fixture fixture;
  fixture.AddReceiveBuffers(2);
  fixture.Send(VsockOp::kReset);
  fixture.ExpectNothing();
  fixture.Dial();
  fixture.Send(VsockOp::kReset);
  fixture.ExpectNothing();
  REQUIRE(fixture.ReadHost().empty());  // its end
}

TEST_CASE("ports may be dialled again in the same breath") {
  Fixture fixture;
  fixture.AddReceiveBuffers(4);
  fixture.Dial();
  fixture.driver.Send(GuestDriver::Header(VsockOp::kReset, kPort));
  fixture.driver.Send(GuestDriver::Header(VsockOp::kRequest, kPort));
  fixture.device->OnKick(Ring::kFromGuest);
  fixture.Expect(VsockOp::kResponse);
}

TEST_CASE("there are at most 64 connections, and room again when one has ended") {
  Fixture fixture;
  for (uint32_t port = 0; port < VsockSwitch::kMaxConnections; ++port) {
    fixture.AddReceiveBuffers(1);
    fixture.Dial(port);
  }
  fixture.AddReceiveBuffers(2);
  fixture.Send(VsockOp::kRequest, kPort);
  fixture.Expect(VsockOp::kReset);
  fixture.Send(VsockOp::kReset, 7);
  fixture.Dial(kPort);
}

TEST_CASE("the host's end is the guest's end, and the other way around") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  SECTION("the guest finishes first") {
    fixture.Dial();
    auto finish = GuestDriver::Header(VsockOp::kShutdown, kPort);
    finish.flags = kShutdownSend;
    fixture.SendData("last words");
    fixture.Send(finish);
    REQUIRE(fixture.ReadHost() == "last words");
    REQUIRE(fixture.ReadHost().empty());
    fixture.WriteHost("answer");
    REQUIRE(fixture.Expect(VsockOp::kData).payload == "answer");
    fixture.hosts.clear();
    REQUIRE(fixture.Expect(VsockOp::kShutdown).header.flags == kShutdownSend);
    fixture.Expect(VsockOp::kReset);
  }
  SECTION("the host finishes first") {
    fixture.Dial();
    fixture.WriteHost("last words");
    REQUIRE(shutdown(fixture.hosts.at(kPort).get(), SHUT_WR) == 0);
    REQUIRE(fixture.Expect(VsockOp::kData).payload == "last words");
    REQUIRE(fixture.Expect(VsockOp::kShutdown).header.flags == kShutdownSend);
    fixture.SendData("answer");
    REQUIRE(fixture.ReadHost() == "answer");
    auto finish = GuestDriver::Header(VsockOp::kShutdown, kPort);
    finish.flags = kShutdownSend | kShutdownReceive;
    fixture.Send(finish);
    fixture.Expect(VsockOp::kReset);
    REQUIRE(fixture.ReadHost().empty());
  }
  SECTION("the host is gone while the guest sends") {
    fixture.Dial();
    fixture.hosts.clear();
    fixture.Expect(VsockOp::kShutdown);
    fixture.SendData("to nobody");
    fixture.Expect(VsockOp::kReset);
  }
  SECTION("the guest stops to listen: the host is told when it writes") {
    fixture.Dial();
    auto deaf = GuestDriver::Header(VsockOp::kShutdown, kPort);
    deaf.flags = kShutdownReceive;
    fixture.Send(deaf);
    REQUIRE(send(fixture.hosts.at(kPort).get(), "x", 1, MSG_NOSIGNAL) == -1);
  }
}

TEST_CASE("what the host does not read is kept within the credit, and then sent") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  fixture.Dial();
  const std::string block(32 * 1024, 'x');
  uint32_t forwarded = 0;
  size_t sent = 0;
  // As a driver does: as long as there is credit.
  for (;;) {
    while (const auto packet = fixture.driver.Receive()) forwarded = packet->header.forwarded;
    if (sent + block.size() - forwarded > VsockConnection::kBufferSize) break;
    fixture.SendData(block);
    sent += block.size();
  }
  REQUIRE(sent >= VsockConnection::kBufferSize);
  size_t read = 0;
  while (read < sent) {
    const size_t count = fixture.ReadHost().size();
    REQUIRE(count > 0);
    read += count;
  }
  // With all of it read, the guest knows of at least half a window.
  fixture.AddReceiveBuffers(4);
  while (const auto packet = fixture.driver.Receive()) forwarded = packet->header.forwarded;
  REQUIRE(sent - forwarded <= VsockConnection::kBufferSize / 2);
}

TEST_CASE("a guest that sends beyond its credit is reset, and the others are not") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  fixture.Dial(1);
  fixture.Dial(2);
  const std::string block(64 * 1024, 'x');
  // The host's socket takes some of it.
  for (size_t sent = 0; sent < 3 * VsockConnection::kBufferSize; sent += block.size()) {
    fixture.SendData(block, 1);
  }
  bool reset = false;
  while (const auto packet = fixture.driver.Receive())
    reset |= packet->header.op == VsockOp::kReset;
  REQUIRE(reset);
  fixture.SendData("alive", 2);
  REQUIRE(fixture.ReadHost(2) == "alive");
  REQUIRE_OK(fixture.broken);
}

TEST_CASE("the guest is sent no more than its credit") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  auto request = GuestDriver::Header(VsockOp::kRequest, kPort);
  request.buffer_size = 10;
  fixture.Send(request);
  fixture.Expect(VsockOp::kResponse);
  fixture.WriteHost("0123456789abcdef");
  REQUIRE(fixture.Expect(VsockOp::kData).payload == "0123456789");
  fixture.ExpectNothing();
  auto credit = GuestDriver::Header(VsockOp::kCreditUpdate, kPort);
  credit.buffer_size = 10;
  credit.forwarded = 4;
  fixture.Send(credit);
  REQUIRE(fixture.Expect(VsockOp::kData).payload == "abcd");
}

TEST_CASE("a guest without buffers is waited for, and nothing is lost") {
  Fixture fixture;
  fixture.Send(VsockOp::kRequest);
  fixture.ExpectNothing();
  fixture.AddReceiveBuffers(1);
  fixture.Expect(VsockOp::kResponse);
  fixture.WriteHost(std::string(3 * GuestDriver::kReceivePayload, 'y'));
  fixture.ExpectNothing();
  size_t received = 0;
  for (int count = 0; count < 3; ++count) {
    fixture.AddReceiveBuffers(1);
    received += fixture.Expect(VsockOp::kData).payload.size();
  }
  REQUIRE(received == 3 * GuestDriver::kReceivePayload);
}

TEST_CASE("a guest that asks for resets and takes none is left waiting, not remembered for ever") {
  Fixture fixture;
  const size_t sent = 3 * VsockSwitch::kMaxResets;
  for (size_t count = 0; count < sent; ++count) {
    // The ring has 16 entries: as many as are free are used.
    const auto index = static_cast<uint16_t>(count);
    if (index - fixture.driver.from_guest().used_index() >= GuestDriver::kRingSize) break;
    fixture.Send(VsockOp::kData);
  }
  REQUIRE(fixture.driver.from_guest().used_index() == VsockSwitch::kMaxResets);
  for (size_t count = 0; count < VsockSwitch::kMaxResets + GuestDriver::kRingSize; ++count) {
    fixture.AddReceiveBuffers(1);
    fixture.Expect(VsockOp::kReset);
  }
  fixture.AddReceiveBuffers(1);
  fixture.ExpectNothing();
}

TEST_CASE("a guest that never stops sending leaves the loop to others between turns") {
  Fixture fixture;
  // While each request is looked at, the guest takes it back and sends the next one.
  size_t accepted = 0;
  fixture.on_accept = [&] {
    ++accepted;
    fixture.driver.Send(GuestDriver::Header(VsockOp::kReset, kPort));
    fixture.driver.Send(GuestDriver::Header(VsockOp::kRequest, kPort));
  };
  fixture.driver.Send(GuestDriver::Header(VsockOp::kRequest, kPort));
  fixture.device->OnKick(Ring::kFromGuest);
  REQUIRE(accepted == VsockSwitch::kPacketsPerTurn / 2);
  bool others = false;
  fixture.loop.Post([&] { others = true; });
  REQUIRE(fixture.loop.RunUntil([&] { return others; }));
  REQUIRE(fixture.loop.RunUntil([&] { return accepted > 3 * VsockSwitch::kPacketsPerTurn; }));
  REQUIRE_OK(fixture.broken);
}

TEST_CASE("connections stay over a pause") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  fixture.Dial();
  fixture.Stop();
  fixture.WriteHost("while it slept");
  fixture.ExpectNothing();
  fixture.device->OnKick(Ring::kFromGuest);
  fixture.Start();
  REQUIRE(fixture.Expect(VsockOp::kData).payload == "while it slept");
  fixture.SendData("awake");
  REQUIRE(fixture.ReadHost() == "awake");
}

TEST_CASE("dropped connections close the host's ends") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  fixture.Dial();
  fixture.Stop();
  fixture.device->DropConnections();
  REQUIRE(fixture.ReadHost().empty());
  fixture.Start();
  fixture.SendData("hello?");
  fixture.Expect(VsockOp::kReset);
}

TEST_CASE("what is wrong with a ring breaks the device, once, and it stands still") {
  const struct {
    const char* what;
    void (*poke)(GuestDriver&);
  } cases[] = {
      {"a broken ring from the guest",
       [](GuestDriver& driver) { driver.from_guest().SetAvailableIndex(1000); }},
      {"a broken ring to the guest",
       [](GuestDriver& driver) {
         driver.to_guest().SetAvailableIndex(1000);
         driver.Send(GuestDriver::Header(VsockOp::kRequest, 5));
       }},
      {"a packet shorter than its header",
       [](GuestDriver& driver) {
         driver.from_guest().Add({{GuestDriver::kBase, 43, false}});
       }},
      {"a packet shorter than it claims",
       [](GuestDriver& driver) {
         driver.Send(GuestDriver::Header(VsockOp::kData, kPort, 6), "short");
       }},
      {"a packet outside of memory",
       [](GuestDriver& driver) {
         driver.from_guest().Add({{0x10, 44, false}});
       }},
      {"a packet that we should write",
       [](GuestDriver& driver) {
         driver.from_guest().Add({{GuestDriver::kBase, 44, true}});
       }},
      {"a buffer that we may not write",
       [](GuestDriver& driver) {
         driver.to_guest().Add({{GuestDriver::kBase, 4096, false}});
         driver.Send(GuestDriver::Header(VsockOp::kRequest, 5));
       }},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    Fixture fixture;
    fixture.AddReceiveBuffers(1);
    fixture.Dial();
    c.poke(fixture.driver);
    fixture.device->OnKick(Ring::kFromGuest);
    REQUIRE_CODE(fixture.broken, kInvalidArgument);
    fixture.broken = OkStatus();
    fixture.WriteHost("anyone?");
    fixture.SendData("anyone?");
    fixture.AddReceiveBuffers(1);
    REQUIRE_OK(fixture.broken);
    fixture.ExpectNothing();
  }
}

TEST_CASE("a buffer with room for the header alone breaks the device when data must go in") {
  Fixture fixture;
  fixture.AddReceiveBuffers(1);
  fixture.Dial();
  fixture.driver.to_guest().Add({{GuestDriver::kBase + 0x8000, 44, true}});
  fixture.WriteHost("x");
  REQUIRE_CODE(fixture.broken, kInvalidArgument);
}

TEST_CASE("a switch that is destroyed closes everything, also with work posted") {
  Fixture fixture;
  fixture.AddReceiveBuffers(8);
  fixture.Dial();
  for (uint16_t count = 0; count < 16; ++count)
    fixture.driver.Send(GuestDriver::Header(VsockOp::kCreditUpdate, kPort));
  fixture.device->OnKick(Ring::kFromGuest);
  fixture.device.reset();
  REQUIRE(fixture.ReadHost().empty());
}

}  // namespace
}  // namespace capsem::process
