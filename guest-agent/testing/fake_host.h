// The host's end of a link, over a socket: answers the hello, and shows what came over the
// multiplexer. The connection is cut and offered again on order.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"
#include "host_link.h"
#include "wire/frame.h"
#include "wire/limits.h"

namespace capsem::agent {

class FakeHost {
 public:
  enum class Device { kPresent, kAbsent, kRefusing };

  explicit FakeHost(TestLoop& loop)
      : loop_(loop), mux_(std::make_unique<wire::Mux>(wire::Mux::Side::kHost, MuxEvents())) {}

  // For the agent's side.
  HostLink::Dial Dial() {
    return [this]() -> StatusOr<UniqueFd> {
      ++dials;
      if (device == Device::kAbsent) return FailedPrecondition("no device");
      if (device == Device::kRefusing) return Unavailable("connection refused");
      auto [ours, theirs] = TRY(SocketPair());
      Accept(std::move(ours));
      return std::move(theirs);
    };
  }
  // As an unplug does: both ends lose what was on its way.
  void Cut() {
    stream_.reset();
    mux_->Disconnected();
  }
  void SendRaw(std::string_view bytes) { stream_->Write(bytes); }
  void Pump() {
    std::string bytes;
    while (stream_ && mux_->connected() && mux_->PullOutput(bytes, 65536)) {
    }
    if (stream_ && !bytes.empty()) stream_->Write(bytes);
  }
  bool linked() const { return stream_ && mux_->connected(); }
  wire::Mux& mux() { return *mux_; }

  Device device = Device::kPresent;
  int dials = 0;
  int hellos = 0;
  bool loses_ready = false;  // the connection is cut before the last word of the next handshake
  wire::LinkIdentity identity{77, std::string(wire::kSecretBytes, 's')};
  std::function<void(wire::ChannelId)> on_readable = [](wire::ChannelId) {};

 private:
  wire::Mux::Events MuxEvents() {
    wire::Mux::Events events;
    events.on_open = [](auto...) {};
    events.on_readable = [this](wire::ChannelId id) { on_readable(id); };
    events.on_writable = [](auto...) {};
    events.on_reset = [](auto...) {};
    events.on_output = [this] { Pump(); };
    return events;
  }
  void Accept(UniqueFd fd) {
    handshake_.emplace(identity, established_, mux_->ResumeState());
    stream_ = std::make_unique<ByteStream>(
        loop_, std::move(fd),
        ByteStream::Events{[this](std::string_view bytes) { OnBytes(bytes); }, [] {},
                           [this](Status) { Cut(); }});
  }
  void OnBytes(std::string_view bytes) {
    if (!handshake_) {
      REQUIRE_OK(mux_->OnBytes(bytes));
      return Pump();
    }
    const Status proven = handshake_->OnBytes(bytes);
    if (handshake_->done() && std::exchange(loses_ready, false)) {
      established_ = true;
      mux_->Connected();
      return Cut();
    }
    stream_->Write(handshake_->TakeOutput());
    if (!proven.ok()) return Cut();
    if (!handshake_->done()) return;
    ++hellos;
    const auto result = handshake_->result();
    const std::string rest = handshake_->TakeRest();
    handshake_.reset();
    if (std::exchange(established_, true))
      REQUIRE_OK(mux_->Resume(*result.peer_resume));
    else
      mux_->Connected();
    REQUIRE_OK(mux_->OnBytes(rest));
    Pump();
  }

  TestLoop& loop_;
  std::unique_ptr<wire::Mux> mux_;
  bool established_ = false;
  std::optional<wire::HostHandshake> handshake_;
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace capsem::agent
