#include "vsock/testing/guest_driver.h"

#include <cstring>

namespace capsem::process {
namespace {

// Where things lie in the driver's memory.
constexpr uint64_t kToGuestPlace = GuestDriver::kBase;
constexpr uint64_t kFromGuestPlace = GuestDriver::kBase + 0x1000;
constexpr uint64_t kReceivePlace = GuestDriver::kBase + 0x10000;
constexpr uint64_t kReceiveStep = 0x2000;
constexpr uint64_t kSendPlace = GuestDriver::kBase + 0x40000;
constexpr uint64_t kSendStep = 0x11000;
constexpr uint64_t kSendSlots = 10;

}  // namespace

RingDriver::RingDriver(std::span<uint8_t> bytes, uint64_t base, uint64_t place, uint16_t size)
    : bytes_(bytes),
      base_(base),
      layout_{.size = size,
              .descriptors = place,
              .available = place + 0x800,
              .used = place + 0xc00,
              .event_index = true,
              .indirect = true} {
  ENSURE(size <= 64);
  std::memset(bytes_.data() + (place - base_), 0, 0x1000);
}

template <typename T>
void RingDriver::Put(uint64_t address, T value) {
  ENSURE(address - base_ + sizeof value <= bytes_.size());
  std::memcpy(bytes_.data() + (address - base_), &value, sizeof value);
}

template <typename T>
T RingDriver::Get(uint64_t address) const {
  T value;
  std::memcpy(&value, bytes_.data() + (address - base_), sizeof value);
  return value;
}

void RingDriver::SetDescriptor(uint64_t table, uint32_t index, const Buffer& buffer, uint16_t flags,
                               uint16_t next) {
  const uint64_t place = table + uint64_t{16} * index;
  Put<uint64_t>(place, buffer.address);
  Put<uint32_t>(place + 8, buffer.size);
  Put<uint16_t>(place + 12, static_cast<uint16_t>(flags | (buffer.writable ? kWrite : 0)));
  Put<uint16_t>(place + 14, next);
}

uint16_t RingDriver::Add(const std::vector<Buffer>& chain) {
  const uint16_t head = next_descriptor_;
  for (size_t index = 0; index < chain.size(); ++index) {
    const uint16_t place = next_descriptor_;
    next_descriptor_ = static_cast<uint16_t>((next_descriptor_ + 1) % layout_.size);
    const bool last = index + 1 == chain.size();
    SetDescriptor(layout_.descriptors, place, chain[index], last ? 0 : kNext, next_descriptor_);
  }
  List(head);
  return head;
}

uint16_t RingDriver::AddIndirect(const std::vector<Buffer>& chain, uint64_t table) {
  for (size_t index = 0; index < chain.size(); ++index) {
    const bool last = index + 1 == chain.size();
    SetDescriptor(table, static_cast<uint32_t>(index), chain[index], last ? 0 : kNext,
                  static_cast<uint16_t>(index + 1));
  }
  const uint16_t head = next_descriptor_;
  next_descriptor_ = static_cast<uint16_t>((next_descriptor_ + 1) % layout_.size);
  const auto size = static_cast<uint32_t>(16 * chain.size());
  SetDescriptor(layout_.descriptors, head, {table, size, false}, kIndirect, 0);
  List(head);
  return head;
}

void RingDriver::List(uint16_t head) {
  Put<uint16_t>(layout_.available + 4 + 2 * (available_index_ % layout_.size), head);
  SetAvailableIndex(static_cast<uint16_t>(available_index_ + 1));
}

void RingDriver::SetAvailableIndex(uint16_t index) {
  available_index_ = index;
  Put<uint16_t>(layout_.available + 2, index);
}

void RingDriver::SetAvailableFlags(uint16_t flags) { Put<uint16_t>(layout_.available, flags); }

void RingDriver::SetUsedEvent(uint16_t index) {
  Put<uint16_t>(layout_.available + 4 + 2 * layout_.size, index);
}

uint16_t RingDriver::available_event() const {
  return Get<uint16_t>(layout_.used + 4 + uint64_t{8} * layout_.size);
}

uint16_t RingDriver::used_index() const { return Get<uint16_t>(layout_.used + 2); }

std::optional<RingDriver::Used> RingDriver::TakeUsed() {
  if (used_taken_ == used_index()) return std::nullopt;
  const uint64_t place = layout_.used + 4 + uint64_t{8} * (used_taken_++ % layout_.size);
  return Used{Get<uint32_t>(place), Get<uint32_t>(place + 4)};
}

GuestDriver::GuestDriver(std::span<uint8_t> bytes)
    : bytes_(bytes),
      to_guest_(bytes, kBase, kToGuestPlace, kRingSize),
      from_guest_(bytes, kBase, kFromGuestPlace, kRingSize),
      receive_places_(kRingSize) {}

void GuestDriver::Reset() {
  to_guest_ = RingDriver(bytes_, kBase, kToGuestPlace, kRingSize);
  from_guest_ = RingDriver(bytes_, kBase, kFromGuestPlace, kRingSize);
}

void GuestDriver::AddReceiveBuffers(size_t count) {
  for (size_t index = 0; index < count; ++index) {
    const uint64_t place = kReceivePlace + kReceiveStep * (next_receive_++ % (kRingSize / 2));
    const uint16_t head =
        to_guest_.Add({{place, kVsockHeaderSize, true}, {place + 0x100, kReceivePayload, true}});
    receive_places_[head] = place;
  }
}

void GuestDriver::Send(const VsockHeader& header, std::string_view payload) {
  const uint64_t place = kSendPlace + kSendStep * (next_send_++ % kSendSlots);
  const auto bytes = FormatVsockHeader(header);
  std::memcpy(bytes_.data() + (place - kBase), bytes.data(), bytes.size());
  if (payload.empty()) {
    from_guest_.Add({{place, kVsockHeaderSize, false}});
    return;
  }
  ENSURE(payload.size() <= kSendStep - 0x100);
  std::memcpy(bytes_.data() + (place + 0x100 - kBase), payload.data(), payload.size());
  from_guest_.Add({{place, kVsockHeaderSize, false},
                   {place + 0x100, static_cast<uint32_t>(payload.size()), false}});
}

std::optional<GuestDriver::Packet> GuestDriver::Receive() {
  const auto used = to_guest_.TakeUsed();
  if (!used) return std::nullopt;
  const uint8_t* place = bytes_.data() + (receive_places_.at(used->head) - kBase);
  const auto header =
      ParseVsockHeader(std::span<const uint8_t, kVsockHeaderSize>(place, kVsockHeaderSize));
  ENSURE(used->written >= kVsockHeaderSize);
  return Packet{header, std::string(reinterpret_cast<const char*>(place + 0x100),
                                    used->written - kVsockHeaderSize)};
}

VsockHeader GuestDriver::Header(VsockOp op, uint32_t guest_port, uint32_t length) {
  return {.source_cid = kGuestCid,
          .destination_cid = kHostCid,
          .source_port = guest_port,
          .destination_port = kHostPort,
          .length = length,
          .op = op,
          .buffer_size = kCredit};
}

}  // namespace capsem::process
