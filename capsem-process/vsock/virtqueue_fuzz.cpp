// Fuzzes what a guest can reach: rings, descriptors, packets and the connections behind them, over
// arbitrary bytes as guest memory. Run by tools/dev/fuzz; corpus/ has what it knows, and
// corpus_seeds.py writes the part of it that has names.
//
// An input is a Plan, its steps of four bytes, and then bytes: the first `image` of them are the
// guest's memory at the start, the rest is what kPatch steps write into it later, in their order.
// Each region of memory is a heap block of its own, so that AddressSanitizer sees every step over
// its end.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "base/byte_stream.h"
#include "base/loop.h"
#include "vsock/vsock_switch.h"

namespace capsem::process {
namespace {

struct __attribute__((packed)) Plan {
  uint8_t flags;  // 1: event indexes, 2: indirect descriptors
  uint8_t steps;
  uint16_t image;
  struct __attribute__((packed)) {
    uint16_t size, base, descriptors, available, used;
  } to_guest, from_guest;
};

struct __attribute__((packed)) Step {
  uint8_t op, which;
  uint16_t value;
};
enum Op : uint8_t {
  kKickFromGuest,
  kKickToGuest,
  kHostWrites,    // `value` bytes into the stream `which`
  kHostReads,     // all that is there
  kHostFinishes,  // its half of the stream
  kHostCloses,
  kPause,  // and resume
  kReset,  // and a driver that begins anew
  kPatch,  // `which` bytes of the input at address `value`
  kOps,
};

// Two neighbours and one that stands alone.
struct Place {
  uint64_t address;
  size_t size;
};
constexpr Place kPlaces[] = {{0x1000, 0x800}, {0x1800, 0x400}, {0xf000, 0x400}};

class Machine {
 public:
  Machine(Loop& loop, std::span<const uint8_t> input) : loop_(loop), rest_(input) {
    plan_ = Take<Plan>();
    steps_.resize(plan_.steps);
    for (Step& step : steps_) step = Take<Step>();
    std::array<GuestMemory::Region, std::size(kPlaces)> regions;
    std::span<const uint8_t> image = TakeBytes(plan_.image);
    for (size_t index = 0; index < std::size(kPlaces); ++index) {
      const Place& place = kPlaces[index];
      blocks_[index] = std::make_unique<uint8_t[]>(place.size);
      const size_t count = std::min(image.size(), place.size);
      std::copy_n(image.begin(), count, blocks_[index].get());
      image = image.subspan(count);
      // QEMU's addresses are the guest's.
      regions[index] = {place.address, place.address, {blocks_[index].get(), place.size}};
    }
    ENSURE(memory_.Reset(regions).ok());
    switch_.emplace(loop_, VsockSwitch::Config{
                               .guest_cid = 3,
                               .accept = [this](uint32_t, uint32_t port) { return Accept(port); },
                               .interrupt = [](VsockSwitch::Ring) {},
                               .on_broken = [this](Status) { broken_ = true; },
                           });
  }

  void Run() {
    if (!Start(plan_.to_guest.base, plan_.from_guest.base)) return;
    for (const Step& step : steps_) {
      if (broken_) return;
      Do(step);
      if (step.op % kOps != kPatch) Turn();
    }
  }

 private:
  template <typename T>
  T Take() {
    T value = {};
    const auto bytes = TakeBytes(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  std::span<const uint8_t> TakeBytes(size_t size) {
    const auto bytes = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(bytes.size());
    return bytes;
  }
  void Turn() {
    for (int count = 0; count < 2; ++count) uv_run(loop_.uv(), UV_RUN_NOWAIT);
  }
  UniqueFd Accept(uint32_t port) {
    auto pair = SocketPair();
    if (port % 8 == 7 || !pair.ok()) return UniqueFd();
    hosts_.push_back(std::move(pair->first));
    return std::move(pair->second);
  }
  template <typename Ring>
  StatusOr<Virtqueue> Queue(const Ring& ring, uint16_t base) {
    return Virtqueue::Create(memory_,
                             {.size = ring.size,
                              .descriptors = TRY(memory_.GuestAddress(ring.descriptors)),
                              .available = ring.available,
                              .used = ring.used,
                              .event_index = (plan_.flags & 1) != 0,
                              .indirect = (plan_.flags & 2) != 0},
                             base);
  }
  bool Start(uint16_t to_guest_base, uint16_t from_guest_base) {
    auto to_guest = Queue(plan_.to_guest, to_guest_base);
    auto from_guest = Queue(plan_.from_guest, from_guest_base);
    if (!to_guest.ok() || !from_guest.ok()) return false;
    to_guest_.emplace(*std::move(to_guest));
    from_guest_.emplace(*std::move(from_guest));
    switch_->Start({&memory_, &*to_guest_, &*from_guest_});
    return true;
  }
  void Do(const Step& step) {
    static char bytes[65536];
    const int host = hosts_.empty() ? -1 : hosts_[step.which % hosts_.size()].get();
    switch (step.op % kOps) {
      case kKickFromGuest: return switch_->OnKick(VsockSwitch::Ring::kFromGuest);
      case kKickToGuest: return switch_->OnKick(VsockSwitch::Ring::kToGuest);
      case kHostWrites: send(host, bytes, step.value, MSG_DONTWAIT | MSG_NOSIGNAL); return;
      case kHostReads:
        while (recv(host, bytes, sizeof bytes, MSG_DONTWAIT) > 0) Turn();
        return;
      case kHostFinishes: shutdown(host, SHUT_WR); return;
      case kHostCloses:
        if (host >= 0) hosts_.erase(hosts_.begin() + step.which % static_cast<int>(hosts_.size()));
        return;
      case kPause:
        switch_->Stop();
        Turn();
        Start(to_guest_->next_available(), from_guest_->next_available());
        return;
      case kReset:
        switch_->Stop();
        switch_->DropConnections();
        Start(0, 0);
        return;
      case kPatch: Patch(step.value, TakeBytes(step.which)); return;
    }
  }
  void Patch(uint64_t address, std::span<const uint8_t> bytes) {
    std::vector<iovec> pieces;
    if (!memory_.Translate(address, bytes.size(), pieces).ok()) return;
    for (const iovec& piece : pieces) {
      std::copy_n(bytes.begin(), piece.iov_len, static_cast<uint8_t*>(piece.iov_base));
      bytes = bytes.subspan(piece.iov_len);
    }
  }

  Loop& loop_;
  std::span<const uint8_t> rest_;
  Plan plan_;
  std::vector<Step> steps_;
  std::unique_ptr<uint8_t[]> blocks_[std::size(kPlaces)];
  GuestMemory memory_;
  std::optional<Virtqueue> to_guest_, from_guest_;
  std::vector<UniqueFd> hosts_;
  bool broken_ = false;
  std::optional<VsockSwitch> switch_;
};

}  // namespace
}  // namespace capsem::process

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* loop = new capsem::Loop;
  { capsem::process::Machine(*loop, {data, size}).Run(); }
  // What was closed is freed by the loop.
  uv_run(loop->uv(), UV_RUN_NOWAIT);
  return 0;
}
