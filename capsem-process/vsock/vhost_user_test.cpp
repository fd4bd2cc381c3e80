#include "vsock/vhost_user.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "base/testing/status_matchers.h"
#include "vsock/testing/fake_qemu.h"

namespace capsem::process {
namespace {

using Start = VhostUser::Start;

struct Fixture {
  Fixture() {
    device.emplace(loop, qemu.TakeDeviceEnd(), 3,
                   VhostUser::Events{
                       .on_start = [this](Start start) { starts.push_back(start); },
                       .on_stop = [this] { ++stops; },
                       .on_kick = [this](size_t ring) { ++kicks[ring]; },
                       .on_lost = [this](Status status) { lost.push_back(std::move(status)); },
                   });
  }
  // Runs until the device is lost, and says why.
  Status Lost() {
    REQUIRE(loop.RunUntil([this] { return !lost.empty(); }));
    REQUIRE(lost.size() == 1);
    return lost.front();
  }
  TestLoop loop;
  FakeQemu qemu{loop};
  std::vector<Start> starts;
  int stops = 0;
  int kicks[2] = {};
  std::vector<Status> lost;
  std::optional<VhostUser> device;
};

template <typename T>
std::span<const uint8_t> BytesOf(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

TEST_CASE("what is offered is what was proven with QEMU 7.2 and 10.0") {
  Fixture fixture;
  fixture.qemu.Send(VhostRequest::kGetFeatures, {});
  REQUIRE(fixture.qemu.AnswerU64() == 0x170000000);
  fixture.qemu.Send(VhostRequest::kGetProtocolFeatures, {});
  REQUIRE(fixture.qemu.AnswerU64() == 0x10208);
}

TEST_CASE("the guest's address is in the configuration, which QEMU has nowhere else") {
  const struct {
    const char* what;
    uint32_t offset, size;
    std::string answer;
  } cases[] = {
      {"all of it", 0, 8, std::string("\x03\0\0\0\0\0\0\0", 8)},
      {"its first half", 0, 4, std::string("\x03\0\0\0", 4)},
      {"its end", 8, 0, ""},
  };
  Fixture fixture;
  for (const auto& c : cases) {
    INFO(c.what);
    std::string request(12 + c.size, '\0');
    std::memcpy(request.data(), &c.offset, 4);
    std::memcpy(request.data() + 4, &c.size, 4);
    fixture.qemu.Send(VhostRequest::kGetConfig,
                      {reinterpret_cast<const uint8_t*>(request.data()), request.size()});
    REQUIRE(fixture.qemu.Answer() == request.substr(0, 12) + c.answer);
  }
  for (const auto& [offset, size] : {std::pair(0u, 9u), {9u, 0u}, {4u, 0xffffffffu}}) {
    INFO(offset << " " << size);
    const uint32_t request[] = {offset, size, 0};
    fixture.qemu.Send(VhostRequest::kGetConfig, BytesOf(request));
    REQUIRE(fixture.qemu.Answer().empty());
  }
  REQUIRE(fixture.lost.empty());
}

TEST_CASE("a message without an answer of its own is acknowledged when QEMU asks for it") {
  Fixture fixture;
  fixture.qemu.Negotiate();
  fixture.qemu.SendMemory(true);
  REQUIRE(fixture.qemu.AnswerU64() == 0);
  // One that has an answer is answered once, also then.
  fixture.qemu.Send(VhostRequest::kGetFeatures, {}, {}, true);
  fixture.qemu.Send(VhostRequest::kGetStatus, {});
  REQUIRE(fixture.qemu.AnswerU64() == 0x170000000);
  REQUIRE(fixture.qemu.AnswerU64() == 0);
}

TEST_CASE("the status is kept for QEMU") {
  Fixture fixture;
  fixture.qemu.SendU64(VhostRequest::kSetStatus, 8);
  fixture.qemu.Send(VhostRequest::kGetStatus, {});
  REQUIRE(fixture.qemu.AnswerU64() == 8);
}

TEST_CASE("the rings run when both are enabled, and stop with either") {
  Fixture fixture;
  fixture.qemu.Negotiate();
  fixture.qemu.SendMemory();
  fixture.qemu.SetUpRing(0, 0);
  fixture.qemu.SetUpRing(1, 0);
  fixture.qemu.SendState(VhostRequest::kSetVringEnable, 0, 1);
  fixture.loop.RunReady();
  REQUIRE(fixture.starts.empty());
  fixture.qemu.SendState(VhostRequest::kSetVringEnable, 1, 1);
  fixture.loop.RunReady();
  REQUIRE(fixture.starts == std::vector{Start::kFresh});
  fixture.qemu.SendState(VhostRequest::kSetVringEnable, 0, 0);
  fixture.loop.RunReady();
  REQUIRE(fixture.stops == 1);
}

TEST_CASE("rings of a QEMU that did not agree on enabling run at once") {
  Fixture fixture;
  fixture.qemu.SendU64(VhostRequest::kSetFeatures, 0x130000000);
  fixture.qemu.SendMemory();
  fixture.qemu.SetUpRing(0, 0);
  fixture.qemu.SetUpRing(1, 0);
  fixture.loop.RunReady();
  REQUIRE(fixture.starts.size() == 1);
}

TEST_CASE("pause and reset differ by the bases of the next start") {
  Fixture fixture;
  fixture.qemu.Negotiate();
  fixture.qemu.Start(0, 0);
  REQUIRE(fixture.starts == std::vector{Start::kFresh});
  fixture.qemu.driver().AddReceiveBuffers(2);
  DescriptorChain chain;
  REQUIRE(VALUE_OF(fixture.device->queue(0).Pop(chain)));
  REQUIRE(VALUE_OF(fixture.device->queue(0).Pop(chain)));

  SECTION("a machine that was paused goes on where it stopped") {
    const auto bases = fixture.qemu.Stop();
    REQUIRE(bases == std::pair(2u, 0u));
    REQUIRE(fixture.stops == 1);
    fixture.qemu.Start(bases.first, bases.second);
    REQUIRE(fixture.starts == std::vector{Start::kFresh, Start::kResumed});
    REQUIRE(fixture.device->queue(0).next_available() == 2);
  }
  SECTION("a machine that was reset begins anew") {
    fixture.qemu.Stop();
    fixture.qemu.driver().Reset();
    fixture.qemu.Start(0, 0);
    REQUIRE(fixture.starts == std::vector{Start::kFresh, Start::kFresh});
  }
  SECTION("a status of 0 is a reset in itself") {
    const auto bases = fixture.qemu.Stop();
    fixture.qemu.SendU64(VhostRequest::kSetStatus, 0);
    fixture.qemu.Enable(0);
    fixture.qemu.Start(0, bases.second);
    REQUIRE(fixture.starts.size() == 2);
  }
  SECTION("disabled and enabled is neither: nobody set a base") {
    fixture.qemu.Enable(0);
    fixture.qemu.Enable(1);
    fixture.loop.RunReady();
    REQUIRE(fixture.starts == std::vector{Start::kFresh, Start::kResumed});
    REQUIRE(fixture.device->queue(0).next_available() == 2);
  }
}

TEST_CASE("kicks reach the owner while the rings run") {
  Fixture fixture;
  fixture.qemu.Negotiate();
  fixture.qemu.SendMemory();
  fixture.qemu.SetUpRing(0, 0);
  fixture.qemu.SetUpRing(1, 0);
  fixture.qemu.Kick(1);
  REQUIRE(fixture.kicks[1] == 0);
  fixture.qemu.Enable(1);
  fixture.loop.RunReady();
  fixture.qemu.Kick(1);
  REQUIRE(fixture.kicks[1] == 1);
  REQUIRE(fixture.kicks[0] == 0);
  fixture.qemu.Kick(0);
  REQUIRE(fixture.kicks[0] == 1);
  fixture.device->Interrupt(0);
  REQUIRE(fixture.qemu.TakeInterrupt(0));
  REQUIRE(!fixture.qemu.TakeInterrupt(1));
}

TEST_CASE("a new call descriptor is used, and interrupted once if the rings run") {
  Fixture fixture;
  const UniqueFd call(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  const auto count = [&] {
    uint64_t value = 0;
    return read(call.get(), &value, sizeof value) == sizeof value ? value : 0;
  };
  fixture.qemu.SendU64(VhostRequest::kSetVringCall, 1, {call.get()});
  fixture.loop.RunReady();
  REQUIRE(count() == 0);
  fixture.qemu.Negotiate();
  fixture.qemu.Start(0, 0);
  fixture.qemu.SendU64(VhostRequest::kSetVringCall, 1, {call.get()});
  fixture.loop.RunReady();
  REQUIRE(count() == 1);
  // Bit 8: a driver that looks for itself. Nothing is there to be interrupted.
  fixture.qemu.SendU64(VhostRequest::kSetVringCall, 0x101);
  fixture.loop.RunReady();
  fixture.device->Interrupt(1);
  REQUIRE(count() == 0);
  REQUIRE(fixture.lost.empty());
}

TEST_CASE("a new memory table under running rings is a short stop") {
  Fixture fixture;
  fixture.qemu.Negotiate();
  fixture.qemu.Start(0, 0);
  fixture.qemu.driver().AddReceiveBuffers(3);
  DescriptorChain chain;
  REQUIRE(VALUE_OF(fixture.device->queue(0).Pop(chain)));
  fixture.qemu.SendMemory(true);
  REQUIRE(fixture.qemu.AnswerU64() == 0);
  REQUIRE(fixture.stops == 1);
  REQUIRE(fixture.starts == std::vector{Start::kFresh, Start::kResumed});
  REQUIRE(VALUE_OF(fixture.device->queue(0).Pop(chain)));
  REQUIRE(fixture.device->queue(0).next_available() == 2);
}

TEST_CASE("a kick descriptor that is taken away stops the rings") {
  Fixture fixture;
  fixture.qemu.Negotiate();
  fixture.qemu.Start(0, 0);
  fixture.qemu.SendU64(VhostRequest::kSetVringKick, 0x100);
  fixture.loop.RunReady();
  REQUIRE(fixture.stops == 1);
  REQUIRE(fixture.lost.empty());
}

struct Bad {
  const char* what;
  void (*send)(FakeQemu&);
};

TEST_CASE("a message that is not by the protocol ends the device, and nothing else") {
  const Bad cases[] = {
      {"an unknown message", [](FakeQemu& q) { q.Send(static_cast<VhostRequest>(99), {}); }},
      {"features that were not offered",
       [](FakeQemu& q) { q.SendU64(VhostRequest::kSetFeatures, 1); }},
      {"protocol features that were not offered",
       [](FakeQemu& q) { q.SendU64(VhostRequest::kSetProtocolFeatures, 1); }},
      {"a short payload", [](FakeQemu& q) { q.Send(VhostRequest::kSetFeatures, {}); }},
      {"a third ring", [](FakeQemu& q) { q.SendState(VhostRequest::kSetVringEnable, 2, 1); }},
      {"a ring number that is huge",
       [](FakeQemu& q) { q.SendState(VhostRequest::kGetVringBase, 0xffffffff, 0); }},
      {"a ring too large", [](FakeQemu& q) { q.SendState(VhostRequest::kSetVringNum, 0, 0x8001); }},
      {"a kick without its descriptor",
       [](FakeQemu& q) { q.SendU64(VhostRequest::kSetVringKick, 0); }},
      {"a kick that is a file",
       [](FakeQemu& q) { q.SendU64(VhostRequest::kSetVringKick, 0, {q.memory_fd()}); }},
      {"a kick that is a socket",
       [](FakeQemu& q) { q.SendU64(VhostRequest::kSetVringKick, 0, {q.socket()}); }},
      {"a memory table without a head",
       [](FakeQemu& q) { q.Send(VhostRequest::kSetMemTable, {}); }},
      {"a memory table that ends after its head",
       [](FakeQemu& q) { q.SendState(VhostRequest::kSetMemTable, 1, 0); }},
      {"a memory table without a descriptor",
       [](FakeQemu& q) {
         const uint64_t table[] = {1, 0x10000, 0x1000, 0x7000, 0};
         q.Send(VhostRequest::kSetMemTable, BytesOf(table));
       }},
      {"a memory region beyond its file",
       [](FakeQemu& q) {
         const uint64_t table[] = {1, 0x10000, 0x200000, 0x7000, 0};
         q.Send(VhostRequest::kSetMemTable, BytesOf(table), {q.memory_fd()});
       }},
      {"a memory region around the end",
       [](FakeQemu& q) {
         const uint64_t table[] = {1, 0xfffffffffffff000, 0x1000, 0x7000, 0};
         q.Send(VhostRequest::kSetMemTable, BytesOf(table), {q.memory_fd()});
       }},
      {"a short request for configuration",
       [](FakeQemu& q) { q.SendState(VhostRequest::kGetConfig, 0, 8); }},
      {"a start without memory",
       [](FakeQemu& q) {
         q.SetUpRing(0, 0);
         q.SetUpRing(1, 0);
         q.Enable(1);
       }},
      {"a start without addresses",
       [](FakeQemu& q) {
         q.SetUpRing(0, 0);
         const UniqueFd kick(eventfd(0, EFD_CLOEXEC));
         q.SendMemory();
         q.SendU64(VhostRequest::kSetVringKick, 1, {kick.get()});
         q.Enable(1);
       }},
  };
  for (const Bad& c : cases) {
    INFO(c.what);
    Fixture fixture;
    c.send(fixture.qemu);
    REQUIRE_CODE(fixture.Lost(), kInvalidArgument);
    REQUIRE(fixture.starts.empty());
    // It hears nothing any more.
    fixture.qemu.SendU64(VhostRequest::kSetFeatures, 1);
    fixture.loop.RunReady();
    REQUIRE(fixture.lost.size() == 1);
  }
}

TEST_CASE("QEMU's end stops the rings and is told once") {
  Fixture fixture;
  fixture.qemu.Negotiate();
  fixture.qemu.Start(0, 0);
  fixture.qemu.CloseSocket();
  REQUIRE_CODE(fixture.Lost(), kUnavailable);
  REQUIRE(fixture.stops == 1);
}

TEST_CASE("a device that is closed says nothing") {
  Fixture fixture;
  fixture.qemu.Negotiate();
  fixture.qemu.Start(0, 0);
  fixture.device->Close();
  fixture.qemu.Kick(1);
  fixture.qemu.CloseSocket();
  fixture.loop.RunReady();
  REQUIRE(fixture.kicks[1] == 0);
  REQUIRE(fixture.lost.empty());
}

}  // namespace
}  // namespace capsem::process
