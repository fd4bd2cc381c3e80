#include "vsock/vhost_user.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace capsem::process {
namespace {

constexpr uint64_t Bit(int number) { return uint64_t{1} << number; }

// Virtio's own, and vhost-user's bit 30: there are protocol features, and rings start disabled.
constexpr uint64_t kIndirectDescriptors = Bit(28);
constexpr uint64_t kEventIndex = Bit(29);
constexpr uint64_t kHasProtocolFeatures = Bit(30);
constexpr uint64_t kVersion1 = Bit(32);
constexpr uint64_t kFeatures =
    kIndirectDescriptors | kEventIndex | kHasProtocolFeatures | kVersion1;
// REPLY_ACK; CONFIG, without which QEMU cannot learn the guest's address; STATUS.
constexpr uint64_t kReplyAck = Bit(3);
constexpr uint64_t kProtocolFeatures = kReplyAck | Bit(9) | Bit(16);

// A ring's number in SET_VRING_KICK and _CALL, and the flag that no descriptor comes with it.
constexpr uint64_t kRingMask = 0xff;
constexpr uint64_t kNoFd = Bit(8);

// A peer that never stops sending must leave the loop to others, too.
constexpr int kMessagesPerTurn = 16;

struct RingState {
  uint32_t ring;
  uint32_t value;
};
struct RingPlaces {
  uint32_t ring;
  uint32_t flags;
  uint64_t descriptors, used, available, log;
};
struct TableHead {
  uint32_t regions;
  uint32_t padding;
};
struct TableRegion {
  uint64_t guest_address, size, user_address, offset;
};
struct ConfigHead {
  uint32_t offset, size, flags;
};

template <typename T>
StatusOr<T> PayloadAs(const VhostMessage& message) {
  T value;
  if (message.payload.size() != sizeof value)
    return InvalidArgument("vhost-user message {} has {} bytes instead of {}",
                           static_cast<uint32_t>(message.request), message.payload.size(),
                           sizeof value);
  std::memcpy(&value, message.payload.data(), sizeof value);
  return value;
}

StatusOr<size_t> CheckRing(uint64_t number) {
  if (number >= VhostUser::kRings) return InvalidArgument("a ring number {}", number);
  return number;
}

// An eventfd, or none where the payload says so. Another kind of file might not be one that can be
// watched, or written to without waiting.
StatusOr<UniqueFd> TakeEventFd(VhostMessage& message, uint64_t value) {
  if ((value & kNoFd) != 0) return UniqueFd();
  if (message.fds.size() != 1)
    return InvalidArgument("a ring's event with {} descriptors", message.fds.size());
  UniqueFd fd = std::move(message.fds.front());
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return FromErrno("look at a ring's event descriptor");
  if ((info.st_mode & S_IFMT) != 0) return InvalidArgument("a ring's event is not an eventfd");
  fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  return fd;
}

template <typename T>
std::span<const uint8_t> BytesOf(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

}  // namespace

VhostUser::VhostUser(Loop& loop, UniqueFd socket, uint64_t guest_cid, Events events)
    : channel_(std::move(socket)), guest_cid_(guest_cid), events_(std::move(events)), loop_(loop) {
  watch_.emplace(loop_, channel_.fd(), [this](int) { OnReadable(); });
  watch_->Want(FdWatch::kReadable);
}

void VhostUser::OnReadable() {
  for (int count = 0; count < kMessagesPerTurn && watch_; ++count) {
    auto message = channel_.Read();
    if (!message.ok()) return Lose(message.status());
    if (!*message) return;
    Status status = Handle(**message);
    if (!status.ok()) return Lose(std::move(status));
  }
}

void VhostUser::Lose(Status status) {
  // The owner may have closed us while it heard of an event.
  if (!watch_) return;
  StopRunning();
  Close();
  events_.on_lost(std::move(status));
}

void VhostUser::Close() {
  watch_.reset();
  for (Ring& ring : rings_) ring.watch.reset();
}

Status VhostUser::Handle(VhostMessage& message) {
  bool replied = false;
  TRY(Dispatch(message, replied));
  if (replied || !message.wants_reply || (protocol_features_ & kReplyAck) == 0) return OkStatus();
  return channel_.Reply(message.request, BytesOf(uint64_t{0}));
}

Status VhostUser::Dispatch(VhostMessage& message, bool& replied) {
  const auto reply = [&](const auto& value) {
    replied = true;
    return channel_.Reply(message.request, BytesOf(value));
  };
  switch (message.request) {
    case VhostRequest::kGetFeatures: return reply(kFeatures);
    case VhostRequest::kGetProtocolFeatures: return reply(kProtocolFeatures);
    case VhostRequest::kGetStatus: return reply(status_);
    case VhostRequest::kGetVringBase: replied = true; return GetVringBase(message);
    case VhostRequest::kGetConfig: replied = true; return GetConfig(message);
    case VhostRequest::kSetOwner:
    case VhostRequest::kSetVringErr: return OkStatus();
    case VhostRequest::kSetFeatures: return SetFeatures(message);
    case VhostRequest::kSetProtocolFeatures: return SetProtocolFeatures(message);
    case VhostRequest::kSetStatus: return SetStatus(message);
    case VhostRequest::kSetMemTable: return SetMemTable(message);
    case VhostRequest::kSetVringNum: return SetVringNum(message);
    case VhostRequest::kSetVringAddr: return SetVringAddr(message);
    case VhostRequest::kSetVringBase: return SetVringBase(message);
    case VhostRequest::kSetVringKick: return SetVringKick(message);
    case VhostRequest::kSetVringCall: return SetVringCall(message);
    case VhostRequest::kSetVringEnable: return SetVringEnable(message);
  }
  return InvalidArgument("vhost-user message {}, which was not agreed on",
                         static_cast<uint32_t>(message.request));
}

// ---- features and configuration

Status VhostUser::SetFeatures(const VhostMessage& message) {
  features_ = TRY(PayloadAs<uint64_t>(message));
  if ((features_ & ~kFeatures) != 0)
    return InvalidArgument("vhost-user features {:#x}, which were not offered", features_);
  if ((features_ & kHasProtocolFeatures) == 0) {
    for (Ring& ring : rings_) ring.enabled = true;
  }
  return OkStatus();
}

Status VhostUser::SetProtocolFeatures(const VhostMessage& message) {
  protocol_features_ = TRY(PayloadAs<uint64_t>(message));
  if ((protocol_features_ & ~kProtocolFeatures) != 0)
    return InvalidArgument("protocol features {:#x}, which were not offered", protocol_features_);
  return OkStatus();
}

Status VhostUser::SetStatus(const VhostMessage& message) {
  status_ = TRY(PayloadAs<uint64_t>(message));
  // 0 is a reset of the device. No QEMU was seen to send it, but it means what it means.
  if (status_ == 0) {
    for (Ring& ring : rings_) ring.begins_anew = true;
  }
  return OkStatus();
}

// The configuration space is the guest's address, 8 bytes; QEMU has no other way to learn it.
Status VhostUser::GetConfig(const VhostMessage& message) {
  const uint64_t space = htole64(guest_cid_);
  ConfigHead head;
  if (message.payload.size() < sizeof head)
    return InvalidArgument("a request for configuration of {} bytes", message.payload.size());
  std::memcpy(&head, message.payload.data(), sizeof head);
  // An empty answer is the protocol's word for "there is no such thing".
  if (head.offset > sizeof space || head.size > sizeof space - head.offset)
    return channel_.Reply(message.request, {});
  std::vector<uint8_t> answer(sizeof head + head.size);
  std::memcpy(answer.data(), &head, sizeof head);
  std::memcpy(answer.data() + sizeof head, BytesOf(space).data() + head.offset, head.size);
  return channel_.Reply(message.request, answer);
}

// ---- memory

Status VhostUser::SetMemTable(const VhostMessage& message) {
  TableHead head;
  if (message.payload.size() < sizeof head) return InvalidArgument("a memory table without a head");
  std::memcpy(&head, message.payload.data(), sizeof head);
  if (head.regions > GuestMemory::kMaxRegions || head.regions != message.fds.size() ||
      message.payload.size() != sizeof head + head.regions * sizeof(TableRegion))
    return InvalidArgument("a memory table of {} regions in {} bytes with {} descriptors",
                           head.regions, message.payload.size(), message.fds.size());
  std::vector<MemoryMapping> mappings;
  std::vector<GuestMemory::Region> regions;
  for (size_t index = 0; index < head.regions; ++index) {
    TableRegion region;
    std::memcpy(&region, message.payload.data() + sizeof head + index * sizeof region,
                sizeof region);
    mappings.push_back(TRY(MemoryMapping::Create(message.fds[index], region.offset, region.size)));
    regions.push_back({region.guest_address, region.user_address, mappings.back().bytes()});
  }
  // Rings that run are found anew in the new memory.
  StopRunning();
  TRY(memory_.Reset(regions));
  mappings_.swap(mappings);
  return StartWhenReady();
}

// ---- rings

Status VhostUser::SetVringNum(const VhostMessage& message) {
  const auto state = TRY(PayloadAs<RingState>(message));
  if (state.value > Virtqueue::kMaxSize) return InvalidArgument("a ring of {}", state.value);
  rings_[TRY(CheckRing(state.ring))].size = static_cast<uint16_t>(state.value);
  return OkStatus();
}

Status VhostUser::SetVringAddr(const VhostMessage& message) {
  const auto places = TRY(PayloadAs<RingPlaces>(message));
  rings_[TRY(CheckRing(places.ring))].places =
      Ring::Places{places.descriptors, places.used, places.available};
  return OkStatus();
}

Status VhostUser::SetVringBase(const VhostMessage& message) {
  const auto state = TRY(PayloadAs<RingState>(message));
  Ring& ring = rings_[TRY(CheckRing(state.ring))];
  ring.base = static_cast<uint16_t>(state.value);
  ring.begins_anew = ring.base == 0;
  return OkStatus();
}

Status VhostUser::GetVringBase(const VhostMessage& message) {
  const auto state = TRY(PayloadAs<RingState>(message));
  Ring& ring = rings_[TRY(CheckRing(state.ring))];
  StopRunning();
  ring.watch.reset();
  ring.kick.Reset();
  return channel_.Reply(message.request, BytesOf(RingState{state.ring, ring.base}));
}

Status VhostUser::SetVringKick(VhostMessage& message) {
  const uint64_t value = TRY(PayloadAs<uint64_t>(message));
  const size_t number = TRY(CheckRing(value & kRingMask));
  UniqueFd kick = TRY(TakeEventFd(message, value));
  Ring& ring = rings_[number];
  StopRunning();
  ring.watch.reset();
  ring.kick = std::move(kick);
  // Without kicks a ring would have to be polled; it is left alone instead.
  if (!ring.kick.valid()) return OkStatus();
  ring.watch =
      std::make_unique<FdWatch>(loop_, ring.kick.get(), [this, number](int) { OnKick(number); });
  ring.watch->Want(FdWatch::kReadable);
  return StartWhenReady();
}

Status VhostUser::SetVringCall(VhostMessage& message) {
  const uint64_t value = TRY(PayloadAs<uint64_t>(message));
  const size_t number = TRY(CheckRing(value & kRingMask));
  rings_[number].call = TRY(TakeEventFd(message, value));
  // The old descriptor may have swallowed an interrupt that the guest waits for.
  if (running()) Interrupt(number);
  return OkStatus();
}

Status VhostUser::SetVringEnable(const VhostMessage& message) {
  const auto state = TRY(PayloadAs<RingState>(message));
  Ring& ring = rings_[TRY(CheckRing(state.ring))];
  ring.enabled = state.value != 0;
  if (!ring.enabled) StopRunning();
  return StartWhenReady();
}

Status VhostUser::MakeQueue(Ring& ring) {
  if (!ring.places) return InvalidArgument("a ring that starts without its addresses");
  ring.queue =
      TRY(Virtqueue::Create(memory_,
                            {.size = ring.size,
                             .descriptors = TRY(memory_.GuestAddress(ring.places->descriptors)),
                             .available = TRY(memory_.GuestAddress(ring.places->available)),
                             .used = TRY(memory_.GuestAddress(ring.places->used)),
                             .event_index = (features_ & kEventIndex) != 0,
                             .indirect = (features_ & kIndirectDescriptors) != 0},
                            ring.base));
  return OkStatus();
}

Status VhostUser::StartWhenReady() {
  const auto ready = [](const Ring& ring) { return ring.enabled && ring.kick.valid(); };
  if (running() || !std::all_of(rings_.begin(), rings_.end(), ready)) return OkStatus();
  for (Ring& ring : rings_) TRY(MakeQueue(ring));
  const bool anew =
      std::all_of(rings_.begin(), rings_.end(), [](const Ring& ring) { return ring.begins_anew; });
  for (Ring& ring : rings_) ring.begins_anew = false;
  events_.on_start(anew ? Start::kFresh : Start::kResumed);
  return OkStatus();
}

void VhostUser::StopRunning() {
  if (!running()) return;
  events_.on_stop();
  for (Ring& ring : rings_) {
    if (ring.queue) ring.base = ring.queue->next_available();
    ring.queue.reset();
  }
}

void VhostUser::OnKick(size_t ring) {
  uint64_t count;
  // Only to make it unreadable again; the rings say what there is to do.
  [[maybe_unused]] const ssize_t got = read(rings_[ring].kick.get(), &count, sizeof count);
  if (running()) events_.on_kick(ring);
}

void VhostUser::Interrupt(size_t ring) {
  const uint64_t one = 1;
  // It can fail only when the count is full: then an interrupt waits already.
  [[maybe_unused]] const ssize_t put = write(rings_[ring].call.get(), &one, sizeof one);
}

}  // namespace capsem::process
