#include "host_link.h"

#include "testing/fake_host.h"

namespace capsem::agent {
namespace {

// The agent's half: a link and its multiplexer.
struct Guest {
  Guest(TestLoop& loop, FakeHost& host)
      : mux(wire::Mux::Side::kGuest, MuxEvents()),
        link(loop, mux, host.Dial(), {[this](Status why) { lost = std::move(why); }}) {}

  wire::Mux::Events MuxEvents() {
    wire::Mux::Events events;
    events.on_open = [](auto...) {};
    events.on_readable = [this](wire::ChannelId id) {
      heard += mux.Readable(id);
      mux.Consume(id, mux.Readable(id).size());
    };
    events.on_writable = [this](wire::ChannelId) { WriteOn(); };
    events.on_reset = [](auto...) {};
    events.on_output = [this] { link.PumpSoon(); };
    return events;
  }
  void Say(wire::ChannelId channel, std::string bytes) {
    to = channel;
    saying += bytes;
    WriteOn();
  }
  void WriteOn() { saying.erase(0, mux.Write(to, saying)); }

  wire::Mux mux;
  HostLink link;
  std::string heard, saying;
  wire::ChannelId to = wire::kControlChannel;
  Status lost;
};

}  // namespace

TEST_CASE("the agent dials, says hello, and both hear each other") {
  TestLoop loop;
  FakeHost host(loop);
  Guest guest(loop, host);
  guest.link.OnDevice();
  REQUIRE(loop.RunUntil([&] { return host.linked() && guest.mux.connected(); }));
  host.mux().Write(wire::kControlChannel, "to the guest");
  guest.Say(wire::kControlChannel, "to the host");
  REQUIRE(loop.RunUntil([&] { return guest.heard == "to the guest"; }));
  REQUIRE(loop.RunUntil([&] { return host.mux().Readable(0) == "to the host"; }));
  REQUIRE(host.dials == 1);
}

TEST_CASE("news of a device while connected change nothing") {
  TestLoop loop;
  FakeHost host(loop);
  Guest guest(loop, host);
  guest.link.OnDevice();
  guest.link.OnDevice();
  REQUIRE(loop.RunUntil([&] { return guest.mux.connected(); }));
  guest.link.OnDevice();
  loop.RunReady();
  REQUIRE(host.dials == 1);
}

TEST_CASE("without a device the agent waits for one and does not ask again") {
  TestLoop loop;
  FakeHost host(loop);
  host.device = FakeHost::Device::kAbsent;
  Guest guest(loop, host);
  guest.link.OnDevice();
  loop.RunReady();
  REQUIRE(host.dials == 1);
  host.device = FakeHost::Device::kPresent;
  guest.link.OnDevice();
  REQUIRE(loop.RunUntil([&] { return guest.mux.connected(); }));
  REQUIRE(host.dials == 2);
}

TEST_CASE("a host that does not listen yet is dialled again") {
  TestLoop loop;
  FakeHost host(loop);
  host.device = FakeHost::Device::kRefusing;
  Guest guest(loop, host);
  guest.link.OnDevice();
  REQUIRE(loop.RunUntil([&] { return host.dials == 3; }));
  host.device = FakeHost::Device::kPresent;
  REQUIRE(loop.RunUntil([&] { return guest.mux.connected(); }));
}

TEST_CASE("a cut link is taken up again, and no byte is lost or doubled") {
  TestLoop loop;
  FakeHost host(loop);
  Guest guest(loop, host);
  guest.link.OnDevice();
  REQUIRE(loop.RunUntil([&] { return guest.mux.connected(); }));
  std::string expected, heard;
  host.on_readable = [&](wire::ChannelId id) {
    heard += host.mux().Readable(id);
    host.mux().Consume(id, host.mux().Readable(id).size());
  };
  for (int cut = 0; cut < 20; ++cut) {
    const std::string bytes(200000, static_cast<char>('a' + cut));
    guest.Say(wire::kControlChannel, bytes);
    expected += bytes;
    loop.RunUntil([&] { return heard.size() + 100000 > expected.size(); });
    host.device = FakeHost::Device::kAbsent;
    host.Cut();
    REQUIRE(loop.RunUntil([&] { return !guest.mux.connected(); }));
    host.device = FakeHost::Device::kPresent;
    guest.link.OnDevice();
  }
  REQUIRE(loop.RunUntil([&] { return heard.size() == expected.size(); }));
  REQUIRE(heard == expected);
  REQUIRE(host.hellos == 21);
  REQUIRE_OK(guest.lost);
}

TEST_CASE("a connection that is lost before the first hello has ended locks nobody out") {
  TestLoop loop;
  FakeHost host(loop);
  host.loses_ready = true;
  Guest guest(loop, host);
  guest.link.OnDevice();
  REQUIRE(loop.RunUntil([&] { return guest.mux.connected(); }));
  REQUIRE_FALSE(host.loses_ready);
  guest.Say(wire::kControlChannel, "still here");
  REQUIRE(loop.RunUntil([&] { return host.mux().Readable(0) == "still here"; }));
}

TEST_CASE("a stranger who does not know the secret gets nothing") {
  TestLoop loop;
  FakeHost host(loop);
  Guest guest(loop, host);
  guest.link.OnDevice();
  REQUIRE(loop.RunUntil([&] { return guest.mux.connected() && host.linked(); }));
  host.Cut();
  REQUIRE(loop.RunUntil([&] { return !guest.mux.connected(); }));
  host.identity.secret = std::string(wire::kSecretBytes, 'x');
  const int dials = host.dials;
  REQUIRE(loop.RunUntil([&] { return host.dials > dials + 1; }));
  REQUIRE(host.hellos == 1);
  REQUIRE_FALSE(guest.mux.connected());
  // The true host is taken, still.
  host.identity.secret = std::string(wire::kSecretBytes, 's');
  REQUIRE(loop.RunUntil([&] { return guest.mux.connected(); }));
}

TEST_CASE("a host that breaks the protocol has lost the machine for good") {
  TestLoop loop;
  FakeHost host(loop);
  Guest guest(loop, host);
  guest.link.OnDevice();
  REQUIRE(loop.RunUntil([&] { return host.linked() && guest.mux.connected(); }));
  host.SendRaw(std::string(64, '\xff'));
  REQUIRE(loop.RunUntil([&] { return !guest.lost.ok(); }));
}

}  // namespace capsem::agent
