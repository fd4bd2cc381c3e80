#include "vsock/virtqueue.h"

#include <vector>

#include "base/testing/status_matchers.h"
#include "vsock/testing/guest_driver.h"

namespace capsem::process {
namespace {

constexpr uint64_t kBase = 0x10000;
constexpr uint16_t kSize = 8;
constexpr uint64_t kPlace = kBase + 0x1000;
constexpr uint64_t kTable = kBase + 0x3000;

using Buffer = RingDriver::Buffer;

// A ring in plain memory with its driver on one side and a Virtqueue on the other.
struct Fixture {
  explicit Fixture(bool event_index = true, uint16_t base = 0)
      : driver(bytes, kBase, kPlace, kSize) {
    const GuestMemory::Region region = {kBase, 0, bytes};
    REQUIRE_OK(memory.Reset({&region, 1}));
    layout = driver.layout();
    layout.event_index = event_index;
    driver.SetAvailableIndex(base);
    queue.emplace(VALUE_OF(Virtqueue::Create(memory, layout, base)));
  }
  bool Pop() { return VALUE_OF(queue->Pop(chain)); }
  alignas(16) std::vector<uint8_t> bytes = std::vector<uint8_t>(0x8000);
  GuestMemory memory;
  RingDriver driver;
  Virtqueue::Layout layout;
  std::optional<Virtqueue> queue;
  DescriptorChain chain;
};

TEST_CASE("a chain comes out as the driver listed it") {
  Fixture fixture;
  REQUIRE(!fixture.Pop());
  const uint16_t head =
      fixture.driver.Add({{0x10, 44, false}, {0x20, 100, false}, {0x30, 7, true}});
  REQUIRE(fixture.Pop());
  REQUIRE(fixture.chain.head == head);
  REQUIRE(fixture.chain.readable.size() == 2);
  REQUIRE(fixture.chain.readable[1].address == 0x20);
  REQUIRE(fixture.chain.readable[1].size == 100);
  REQUIRE(fixture.chain.writable.size() == 1);
  REQUIRE(fixture.chain.writable[0].address == 0x30);
  REQUIRE(!fixture.Pop());
  REQUIRE(fixture.queue->next_available() == 1);
}

TEST_CASE("a chain in an indirect table is the same chain") {
  Fixture fixture;
  const uint16_t head = fixture.driver.AddIndirect({{0x10, 44, false}, {0x20, 9, true}}, kTable);
  REQUIRE(fixture.Pop());
  REQUIRE(fixture.chain.head == head);
  REQUIRE(fixture.chain.readable.size() == 1);
  REQUIRE(fixture.chain.writable.size() == 1);
}

TEST_CASE("a chain that was put back is popped again") {
  Fixture fixture;
  fixture.driver.Add({{0x10, 1, false}});
  REQUIRE(fixture.Pop());
  fixture.queue->Unpop();
  REQUIRE(fixture.Pop());
  REQUIRE(fixture.chain.readable[0].address == 0x10);
  REQUIRE(!fixture.Pop());
}

TEST_CASE("what was pushed is seen when it is published, in order") {
  Fixture fixture;
  fixture.driver.Add({{0x10, 10, true}});
  fixture.driver.Add({{0x20, 20, true}});
  REQUIRE(fixture.Pop());
  REQUIRE_OK(fixture.queue->Push(fixture.chain.head, 5));
  REQUIRE(fixture.Pop());
  REQUIRE_OK(fixture.queue->Push(fixture.chain.head, 6));
  REQUIRE(!fixture.driver.TakeUsed());
  REQUIRE_OK(fixture.queue->Publish());
  const auto first = fixture.driver.TakeUsed();
  REQUIRE(first);
  REQUIRE(first->head == 0);
  REQUIRE(first->written == 5);
  REQUIRE(fixture.driver.TakeUsed()->written == 6);
  REQUIRE(!fixture.driver.TakeUsed());
}

TEST_CASE("a ring goes on around its end for ever") {
  // Starts shortly before the 16-bit indexes wrap.
  Fixture fixture(true, 65530);
  for (uint32_t round = 0; round < 40; ++round) {
    INFO(round);
    fixture.driver.Add({{round, 1, false}});
    REQUIRE(fixture.Pop());
    REQUIRE(fixture.chain.readable[0].address == round);
    REQUIRE_OK(fixture.queue->Push(fixture.chain.head, round));
    REQUIRE_OK(fixture.queue->Publish());
    REQUIRE(fixture.driver.TakeUsed()->written == round);
  }
}

TEST_CASE("a machine that goes on finds its place in both rings") {
  Fixture fixture;
  for (int count = 0; count < 3; ++count) {
    fixture.driver.Add({{0x10, 1, false}});
    REQUIRE(fixture.Pop());
    REQUIRE_OK(fixture.queue->Push(fixture.chain.head, 0));
  }
  REQUIRE_OK(fixture.queue->Publish());
  auto again =
      VALUE_OF(Virtqueue::Create(fixture.memory, fixture.layout, fixture.queue->next_available()));
  REQUIRE(!VALUE_OF(again.Pop(fixture.chain)));
  fixture.driver.Add({{0x77, 1, false}});
  REQUIRE(VALUE_OF(again.Pop(fixture.chain)));
  REQUIRE(fixture.chain.readable[0].address == 0x77);
  REQUIRE_OK(again.Push(fixture.chain.head, 0));
  REQUIRE_OK(again.Publish());
  REQUIRE(fixture.driver.used_index() == 4);
}

TEST_CASE("with event indexes the guest is interrupted when its event was passed") {
  Fixture fixture;
  const auto publish_one = [&] {
    fixture.driver.Add({{0x10, 1, true}});
    REQUIRE(fixture.Pop());
    REQUIRE_OK(fixture.queue->Push(fixture.chain.head, 1));
    return VALUE_OF(fixture.queue->Publish());
  };
  fixture.driver.SetUsedEvent(3);
  REQUIRE(publish_one());  // 0 → 1: the first after a start, always
  REQUIRE(!publish_one());
  REQUIRE(!publish_one());
  REQUIRE(publish_one());  // 3 → 4 passes 3
  REQUIRE(!publish_one());
  fixture.driver.SetUsedEvent(5);
  REQUIRE(publish_one());
  REQUIRE(!VALUE_OF(fixture.queue->Publish()));  // nothing new
}

TEST_CASE("without event indexes a flag says whether the guest is interrupted") {
  Fixture fixture(false);
  const auto publish_one = [&] {
    fixture.driver.Add({{0x10, 1, true}});
    REQUIRE(fixture.Pop());
    REQUIRE_OK(fixture.queue->Push(fixture.chain.head, 1));
    return VALUE_OF(fixture.queue->Publish());
  };
  REQUIRE(publish_one());
  REQUIRE(publish_one());
  fixture.driver.SetAvailableFlags(1);
  REQUIRE(!publish_one());
  REQUIRE(!VALUE_OF(fixture.queue->AskForKick()));
  REQUIRE(fixture.driver.available_event() == 0);
}

TEST_CASE("a wish for a kick names the next chain, and notices the one that came meanwhile") {
  Fixture fixture;
  fixture.driver.Add({{0x10, 1, false}});
  REQUIRE(fixture.Pop());
  REQUIRE(!VALUE_OF(fixture.queue->AskForKick()));
  REQUIRE(fixture.driver.available_event() == 1);
  fixture.driver.Add({{0x10, 1, false}});
  REQUIRE(VALUE_OF(fixture.queue->AskForKick()));
}

TEST_CASE("a layout that cannot be is refused") {
  Fixture fixture;
  const struct {
    const char* what;
    void (*change)(Virtqueue::Layout&);
  } cases[] = {
      {"no entries", [](auto& layout) { layout.size = 0; }},
      {"not a power of two", [](auto& layout) { layout.size = 6; }},
      {"too many entries", [](auto& layout) { layout.size = 0x8001; }},
      {"descriptors not aligned", [](auto& layout) { layout.descriptors += 8; }},
      {"available ring not aligned", [](auto& layout) { layout.available += 1; }},
      {"used ring not aligned", [](auto& layout) { layout.used += 2; }},
      {"descriptors outside", [](auto& layout) { layout.descriptors = kBase - 16; }},
      {"available ring half outside", [](auto& layout) { layout.available = kBase + 0x7ff0; }},
      // The last two bytes, the event index, lie behind the end.
      {"used ring one index too far", [](auto& layout) { layout.used = kBase + 0x8000 - 68; }},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    Virtqueue::Layout layout = fixture.layout;
    c.change(layout);
    REQUIRE_CODE(Virtqueue::Create(fixture.memory, layout, 0), kInvalidArgument);
  }
}

TEST_CASE("what no driver would list breaks the ring") {
  const struct {
    const char* what;
    void (*list)(RingDriver&);
  } cases[] = {
      {"more chains than the ring has entries",
       [](RingDriver& driver) { driver.SetAvailableIndex(kSize + 1); }},
      {"an index that went back", [](RingDriver& driver) { driver.SetAvailableIndex(0xffff); }},
      {"a head outside of the table", [](RingDriver& driver) { driver.List(kSize); }},
      {"a next outside of the table",
       [](RingDriver& driver) {
         driver.SetDescriptor(kPlace, 0, {0x10, 1, false}, RingDriver::kNext, kSize);
         driver.List(0);
       }},
      {"a descriptor that follows itself",
       [](RingDriver& driver) {
         driver.SetDescriptor(kPlace, 0, {0x10, 1, false}, RingDriver::kNext, 0);
         driver.List(0);
       }},
      {"a circle of two",
       [](RingDriver& driver) {
         driver.SetDescriptor(kPlace, 0, {0x10, 1, false}, RingDriver::kNext, 1);
         driver.SetDescriptor(kPlace, 1, {0x10, 1, false}, RingDriver::kNext, 0);
         driver.List(0);
       }},
      {"readable after writable",
       [](RingDriver& driver) {
         driver.Add({{0x10, 1, true}, {0x20, 1, false}});
       }},
      {"an indirect table of no entries",
       [](RingDriver& driver) {
         driver.SetDescriptor(kPlace, 0, {kTable, 0, false}, RingDriver::kIndirect, 0);
         driver.List(0);
       }},
      {"an indirect table of one and a half entries",
       [](RingDriver& driver) {
         driver.SetDescriptor(kPlace, 0, {kTable, 24, false}, RingDriver::kIndirect, 0);
         driver.List(0);
       }},
      {"an indirect table longer than the ring",
       [](RingDriver& driver) {
         driver.SetDescriptor(kPlace, 0, {kTable, 16 * (kSize + 1), false}, RingDriver::kIndirect,
                              0);
         driver.List(0);
       }},
      {"an indirect table outside of memory",
       [](RingDriver& driver) {
         driver.SetDescriptor(kPlace, 0, {0x10, 16, false}, RingDriver::kIndirect, 0);
         driver.List(0);
       }},
      {"an indirect table with a next",
       [](RingDriver& driver) {
         driver.SetDescriptor(kPlace, 0, {kTable, 16, false},
                              RingDriver::kIndirect | RingDriver::kNext, 1);
         driver.List(0);
       }},
      {"an indirect table in an indirect table",
       [](RingDriver& driver) {
         driver.SetDescriptor(kTable, 0, {kTable, 16, false}, RingDriver::kIndirect, 0);
         driver.SetDescriptor(kPlace, 0, {kTable, 16, false}, RingDriver::kIndirect, 0);
         driver.List(0);
       }},
      {"a next outside of an indirect table",
       [](RingDriver& driver) {
         driver.SetDescriptor(kTable, 0, {0x10, 1, false}, RingDriver::kNext, 1);
         driver.SetDescriptor(kPlace, 0, {kTable, 16, false}, RingDriver::kIndirect, 0);
         driver.List(0);
       }},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    Fixture fixture;
    c.list(fixture.driver);
    REQUIRE_CODE(fixture.queue->Pop(fixture.chain), kInvalidArgument);
  }
}

TEST_CASE("a table through which chains go is bounded, whatever its size") {
  // A ring of 64 entries whose chain uses them all is the longest that is taken.
  std::vector<uint8_t> bytes(0x8000);
  RingDriver driver(bytes, kBase, kPlace, 64);
  GuestMemory memory;
  const GuestMemory::Region region = {kBase, 0, bytes};
  REQUIRE_OK(memory.Reset({&region, 1}));
  auto queue = VALUE_OF(Virtqueue::Create(memory, driver.layout(), 0));
  DescriptorChain chain;
  driver.Add(std::vector<Buffer>(Virtqueue::kMaxChain, {0x10, 1, false}));
  REQUIRE(VALUE_OF(queue.Pop(chain)));
  REQUIRE(chain.readable.size() == Virtqueue::kMaxChain);
  driver.AddIndirect(std::vector<Buffer>(Virtqueue::kMaxChain, {0x10, 1, false}), kTable);
  REQUIRE_CODE(queue.Pop(chain), kInvalidArgument);
}

TEST_CASE("an indirect table that was not agreed on breaks the ring") {
  Fixture fixture;
  fixture.layout.indirect = false;
  auto queue = VALUE_OF(Virtqueue::Create(fixture.memory, fixture.layout, 0));
  fixture.driver.AddIndirect({{0x10, 44, false}}, kTable);
  REQUIRE_CODE(queue.Pop(fixture.chain), kInvalidArgument);
}

}  // namespace
}  // namespace capsem::process
