// Two multiplexers and the bytes between them, for tests: what each end was told is kept in lists,
// and the connection is cut and taken up again on order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/status_matchers.h"
#include "wire/mux.h"

namespace capsem::wire {

// One end, and what its layer above has heard.
struct MuxEnd {
  explicit MuxEnd(Mux::Side own_side) : side(own_side) {
    mux = std::make_unique<Mux>(side, MakeEvents());
  }
  MuxEnd(const MuxEnd&) = delete;
  MuxEnd& operator=(const MuxEnd&) = delete;

  Mux::Events MakeEvents() {
    Mux::Events events;
    events.on_open = [this](ChannelId id, ChannelKind, std::string_view metadata) {
      opened.emplace_back(id, std::string(metadata));
    };
    events.on_readable = [this](ChannelId id) { on_readable(id); };
    events.on_writable = [this](ChannelId id) { on_writable(id); };
    events.on_reset = [this](ChannelId id) { resets.push_back(id); };
    events.on_output = [this] { ++output_told; };
    events.on_pong = [this](uint64_t value) { pongs.push_back(value); };
    return events;
  }
  // The process dies and another one takes over from what was saved.
  void SaveAndRestore() {
    const std::string state = mux->Save();
    mux = VALUE_OF(Mux::Restore(side, state, MakeEvents()));
    REQUIRE(mux->Save() == state);
  }
  std::string Pull(size_t max = 1 << 20) {
    std::string bytes;
    mux->PullOutput(bytes, max);
    return bytes;
  }
  std::string Take(ChannelId id) {
    const std::string bytes(mux->Readable(id));
    mux->Consume(id, bytes.size());
    return bytes;
  }

  const Mux::Side side;
  std::unique_ptr<Mux> mux;
  std::vector<std::pair<ChannelId, std::string>> opened;
  std::vector<ChannelId> resets;
  std::vector<uint64_t> pongs;
  int output_told = 0;
  std::function<void(ChannelId)> on_readable = [](ChannelId) {};
  std::function<void(ChannelId)> on_writable = [](ChannelId) {};
};

struct MuxPair {
  MuxEnd host{Mux::Side::kHost};
  MuxEnd guest{Mux::Side::kGuest};

  void Connect() {
    host.mux->Connected();
    guest.mux->Connected();
  }
  void Cut() {
    host.mux->Disconnected();
    guest.mux->Disconnected();
  }
  void Reconnect() {
    const auto of_host = host.mux->ResumeState();
    const auto of_guest = guest.mux->ResumeState();
    REQUIRE_OK(host.mux->Resume(of_guest));
    REQUIRE_OK(guest.mux->Resume(of_host));
  }
  // Until neither has anything to say.
  void Exchange() {
    bool moved = true;
    while (moved) {
      const std::string to_guest = host.Pull();
      REQUIRE_OK(guest.mux->OnBytes(to_guest));
      const std::string to_host = guest.Pull();
      REQUIRE_OK(host.mux->OnBytes(to_host));
      moved = !to_guest.empty() || !to_host.empty();
    }
  }
};

}  // namespace capsem::wire
