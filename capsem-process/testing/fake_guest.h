// A guest for tests: dials the link with a socket, says hello, speaks the multiplexer; the test
// decides what it does.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/byte_stream.h"
#include "base/testing/status_matchers.h"
#include "base/testing/test_loop.h"
#include "capsem/guest/v1/guest.pb.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/limits.h"
#include "wire/mux.h"

namespace capsem::process {

class FakeGuest {
 public:
  explicit FakeGuest(Loop& loop)
      : loop_(loop),
        mux_(wire::Mux::Side::kGuest,
             {
                 .on_open = [this](wire::ChannelId id, wire::ChannelKind,
                                   std::string_view) { opened.push_back(id); },
                 .on_readable =
                     [this](wire::ChannelId id) {
                       if (id == wire::kControlChannel) ReadControl();
                     },
                 .on_writable = [](wire::ChannelId) {},
                 .on_reset = [this](wire::ChannelId id) { resets.push_back(id); },
                 .on_output = [this] { Pump(); },
             }) {}

  // Gives the host's end of a new connection; the hello leaves at once.
  UniqueFd Dial() {
    auto [host, guest] = VALUE_OF(SocketPair());
    mux_.Disconnected();
    handshake_ = std::make_unique<wire::GuestHandshake>(identity, mux_.ResumeState(), "fake");
    stream_ = std::make_unique<ByteStream>(
        loop_, std::move(guest),
        ByteStream::Events{.on_bytes = [this](std::string_view bytes) { OnBytes(bytes); },
                           .on_end = [this](Status) { hung_up = true; }});
    stream_->Write(handshake_->TakeOutput());
    return std::move(host);
  }
  void HangUp() {
    stream_.reset();
    mux_.Disconnected();
  }
  bool up() const { return handshake_ != nullptr && handshake_->done() && stream_ != nullptr; }
  wire::Mux& mux() { return mux_; }
  void WriteRaw(std::string_view bytes) { stream_->Write(bytes); }
  void SendControl(const capsem::guest::v1::GuestFrame& frame) {
    mux_.Write(wire::kControlChannel,
               wire::EncodeFrame(wire::FrameKind::kMessage, frame.SerializeAsString()));
  }
  void Send(wire::ChannelId channel, wire::FrameKind kind, std::string_view payload) {
    const std::string frame = wire::EncodeFrame(kind, payload);
    REQUIRE(mux_.Write(channel, frame) == frame.size());
  }
  void SendExit(wire::ChannelId channel, uint32_t code) {
    capsem::guest::v1::ExecExit exit;
    exit.set_code(code);
    Send(channel, wire::FrameKind::kExecExit, exit.SerializeAsString());
    mux_.Finish(channel);
  }
  // The next whole frame of a channel, consumed.
  std::optional<std::pair<wire::FrameKind, std::string>> Take(wire::ChannelId channel) {
    const auto frame = VALUE_OF(wire::ParseFrame(mux_.Readable(channel), wire::kMaxExecStart));
    if (!frame) return std::nullopt;
    std::pair<wire::FrameKind, std::string> taken{frame->kind, std::string(frame->payload)};
    mux_.Consume(channel, frame->size);
    return taken;
  }

  wire::LinkIdentity identity;
  std::vector<capsem::guest::v1::HostFrame> control;
  std::vector<wire::ChannelId> opened;
  std::vector<wire::ChannelId> resets;
  bool answer_configure = true;
  bool hung_up = false;

 private:
  void OnBytes(std::string_view bytes) {
    if (handshake_->done()) {
      REQUIRE_OK(mux_.OnBytes(bytes));
      return;
    }
    REQUIRE_OK(handshake_->OnBytes(bytes));
    stream_->Write(handshake_->TakeOutput());
    if (!handshake_->done()) return;
    identity = handshake_->identity();
    if (const auto& resume = handshake_->result().peer_resume) {
      REQUIRE_OK(mux_.Resume(*resume));
    } else {
      mux_.Connected();
    }
    REQUIRE_OK(mux_.OnBytes(handshake_->TakeRest()));
    Pump();
  }
  void Pump() {
    std::string bytes;
    if (!up() || !mux_.PullOutput(bytes, 1 << 20)) return;
    stream_->Write(bytes);
  }
  void ReadControl() {
    while (const auto frame = Take(wire::kControlChannel)) {
      REQUIRE(control.emplace_back().ParseFromString(frame->second));
      if (!control.back().has_configure() || !answer_configure) continue;
      capsem::guest::v1::GuestFrame reply;
      reply.mutable_configured();
      SendControl(reply);
    }
  }

  Loop& loop_;
  wire::Mux mux_;
  std::unique_ptr<wire::GuestHandshake> handshake_;
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace capsem::process
